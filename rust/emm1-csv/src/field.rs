//! A field as it stands in the file, and what it says.

use memchr::memchr;

/// A field as it stands: quoted or not, with doubled quotes or not, and where the separator after it is.
pub(super) struct Field<'a> {
    pub(super) text: &'a [u8],
    pub(super) quoted: bool,
    pub(super) doubled: bool,
    pub(super) next: usize,
}

impl Field<'_> {
    /// Whether it has no value: it is empty, and not quoted.
    pub(super) fn absent(&self) -> bool {
        self.text.is_empty() && !self.quoted
    }

    /// Append its value.
    pub(super) fn append_to(&self, bytes: &mut Vec<u8>) {
        if !self.doubled {
            bytes.extend_from_slice(self.text);
            return;
        }
        let mut rest = self.text;
        while let Some(quote) = memchr(b'"', rest) {
            bytes.extend_from_slice(&rest[..=quote]);
            rest = &rest[quote + 2..];
        }
        bytes.extend_from_slice(rest);
    }

    /// The number that it says; 0 where it says nothing.
    pub(super) fn number(&self) -> Option<f64> {
        let text = self.text;
        if self.absent() {
            return Some(0.0);
        }
        let plain = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        let ends = text.first()?.is_ascii_digit() && text.last()?.is_ascii_digit();
        if self.quoted || !plain || !ends {
            return None;
        }
        // Some four hundred digits are infinity to Rust.
        std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The place of its value in a list, which gets it where it is new.
    pub(super) fn place_in(&self, known: &mut Vec<String>) -> Option<u8> {
        if self.doubled {
            return None;
        }
        let found = known.iter().position(|value| value.as_bytes() == self.text);
        let place = match found {
            Some(place) => place,
            None => {
                known.push(std::str::from_utf8(self.text).ok()?.to_owned());
                known.len() - 1
            }
        };
        u8::try_from(place).ok()
    }
}

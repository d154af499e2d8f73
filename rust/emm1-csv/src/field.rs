//! One field: its bytes in the file, and their value.

use memchr::memchr;

/// A field as it is in the file.
pub(super) struct Field<'a> {
    /// Its bytes, without the quotes around them.
    pub(super) text: &'a [u8],
    pub(super) quoted: bool,
    /// Whether `text` contains quotes, which are doubled.
    pub(super) escaped: bool,
    /// The position of the separator after it.
    pub(super) end: usize,
}

impl Field<'_> {
    /// Whether it has no value: it is empty and not quoted.
    pub(super) fn is_null(&self) -> bool {
        self.text.is_empty() && !self.quoted
    }

    /// Appends its value, with doubled quotes made single.
    pub(super) fn append_to(&self, bytes: &mut Vec<u8>) {
        if !self.escaped {
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

    /// Its value as a number, 0 if it is null; None if it is not a number.
    pub(super) fn number(&self) -> Option<f64> {
        let text = self.text;
        if self.is_null() {
            return Some(0.0);
        }
        let digits = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        let ends_in_digits = text.first()?.is_ascii_digit() && text.last()?.is_ascii_digit();
        if self.quoted || !digits || !ends_in_digits {
            return None;
        }
        // Rust parses four hundred digits as infinity.
        std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The index of its value in a list of symbols, to which a new value is added; None beyond 256 values.
    pub(super) fn symbol_in(&self, symbols: &mut Vec<String>) -> Option<u8> {
        if self.escaped {
            return None;
        }
        let known = symbols.iter().position(|value| value.as_bytes() == self.text);
        let index = match known {
            Some(index) => index,
            None => {
                symbols.push(std::str::from_utf8(self.text).ok()?.to_owned());
                symbols.len() - 1
            }
        };
        u8::try_from(index).ok()
    }
}

//! What is stored about a coded row besides its codes.

use super::Level;

/// Norms of a coded row and the errors of its codes: 16 bytes.
///
/// Let x be the row, x′ the row minus the mean, R the rotation and c the codes. Then ‖R x′ − scale · c‖ is at most
/// `fine`; with the high nibbles alone it is at most `coarse`, and with the low nibbles of the first part as well at
/// most `mixed`. All values are rounded up; infinity means that nothing is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Record {
    /// A bfloat16.
    pub(crate) scale: f32,
    /// ‖x‖, at most 2⁻²² too large.
    pub(crate) norm: f32,
    /// ‖x′‖, at most 2⁻¹⁹ too large.
    pub(crate) centred: f32,
    /// ‖R x′‖ of the second part.
    pub(crate) rest: f32,
    pub(crate) coarse: f32,
    pub(crate) mixed: f32,
    pub(crate) fine: f32,
}

/// The error of the codes, for each set of planes that makes a difference.
pub(crate) struct Missed {
    pub(crate) coarse: f64,
    pub(crate) mixed: f64,
    pub(crate) fine: f64,
}

/// `rest` and `mixed` are stored as multiples of this fraction of `centred` and `coarse`.
const SHARE: f32 = 1.0 / 250.0;

impl Record {
    pub(crate) const BYTES: usize = 16;

    /// The error of the codes at a level.
    #[inline(always)]
    pub(crate) fn missed(&self, level: Level) -> f32 {
        match level {
            Level::FirstHigh | Level::High => self.coarse,
            Level::FirstBytes => self.mixed,
            Level::Bytes => self.fine,
        }
    }

    /// Rounds the values up and encodes them in 16 bytes.
    pub(crate) fn rounded_up(scale: f32, norm: f64, centred: f64, rest: f64, missed: &Missed) -> [u8; Self::BYTES] {
        let up = |value: f64| (value as f32).next_up();
        let (norm, centred) = (up(norm), up(centred));
        let (mut coarse, mut fine) =
            (round_up_to_bf16(up(missed.coarse.max(missed.mixed))), round_up_to_bf16(up(missed.fine)));
        let [rest, mixed] = [share(up(rest), centred), share(up(missed.mixed), coarse)].map(|share| {
            share.unwrap_or_else(|| {
                (coarse, fine) = (f32::INFINITY, f32::INFINITY);
                u8::MAX
            })
        });
        let words = [
            scale.to_bits() | coarse.to_bits() >> 16,
            fine.to_bits() | u32::from(rest) << 8 | u32::from(mixed),
            norm.to_bits(),
            centred.to_bits(),
        ];
        let mut bytes = [0; Self::BYTES];
        bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        bytes
    }

    #[inline(always)]
    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (norm, centred) = (f32::from_bits(word(8)), f32::from_bits(word(12)));
        let coarse = f32::from_bits(word(0) << 16);
        Self {
            scale: f32::from_bits(word(0) & 0xffff_0000),
            norm,
            centred,
            rest: shared(centred, (word(4) >> 8) as u8),
            coarse,
            mixed: shared(coarse, word(4) as u8),
            fine: f32::from_bits(word(4) & 0xffff_0000),
        }
    }
}

/// The value that a share encodes.
#[inline(always)]
fn shared(whole: f32, parts: u8) -> f32 {
    whole * (f32::from(parts) * SHARE)
}

/// The smallest share of a whole that is at least a value; None if even the largest is too small.
fn share(value: f32, whole: f32) -> Option<u8> {
    let parts = if whole > 0.0 { (value / whole / SHARE) as u8 } else { 0 };
    (parts..=u8::MAX).find(|&parts| shared(whole, parts) >= value)
}

/// Rounds up to the next bfloat16.
pub(crate) fn round_up_to_bf16(value: f32) -> f32 {
    if value.is_finite() { f32::from_bits((value.to_bits() + 0xffff) & 0xffff_0000) } else { f32::INFINITY }
}

//! Rows of vectors as files hold them: kernels widen components in registers, and nothing is copied.

use half::f16;
use half::slice::HalfFloatSliceExt;

/// The components of a row, of one of the types in files. All but f32 are little-endian bytes at any address. Every value
/// of each type is an f32, so that widening is exact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Row<'a> {
    F32(&'a [f32]),
    /// IEEE 754 binary16.
    F16(&'a [[u8; 2]]),
    /// The upper half of a binary32.
    BF16(&'a [[u8; 2]]),
    /// Integers from −128 to 127.
    I8(&'a [[u8; 1]]),
    /// Integers from 0 to 255.
    U8(&'a [[u8; 1]]),
}

impl Row<'_> {
    /// The number of components.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(raw) | Self::BF16(raw) => raw.len(),
            Self::I8(raw) | Self::U8(raw) => raw.len(),
        }
    }

    /// Writes the components to `out`, which is as long.
    #[inline]
    pub(crate) fn widen(&self, out: &mut [f32]) {
        match *self {
            Self::F32(values) => out.copy_from_slice(values),
            Self::F16(raw) => widen_halves(raw, out),
            Self::BF16(raw) => each(raw, out, from_bf16),
            Self::I8(raw) => each(raw, out, from_i8),
            Self::U8(raw) => each(raw, out, from_u8),
        }
    }
}

impl PartialEq<[f32]> for Row<'_> {
    fn eq(&self, values: &[f32]) -> bool {
        match *self {
            Self::F32(own) => own == values,
            Self::F16(raw) => same(raw, values, from_f16),
            Self::BF16(raw) => same(raw, values, from_bf16),
            Self::I8(raw) => same(raw, values, from_i8),
            Self::U8(raw) => same(raw, values, from_u8),
        }
    }
}

fn same<T: Copy>(raw: &[T], values: &[f32], value: impl Fn(T) -> f32) -> bool {
    raw.len() == values.len() && raw.iter().zip(values).all(|(&raw, other)| value(raw) == *other)
}

impl<'a> From<&'a [f32]> for Row<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::F32(values)
    }
}

#[inline(always)]
fn each<T: Copy>(raw: &[T], out: &mut [f32], value: impl Fn(T) -> f32) {
    for (out, &raw) in out.iter_mut().zip(raw) {
        *out = value(raw);
    }
}

/// In blocks: the hardware conversion, where there is one, takes slices of f16.
fn widen_halves(raw: &[[u8; 2]], out: &mut [f32]) {
    const BLOCK: usize = 256;
    let mut block = [f16::ZERO; BLOCK];
    for (out, raw) in out.chunks_mut(BLOCK).zip(raw.chunks(BLOCK)) {
        let halves = &mut block[..out.len()];
        for (half, &raw) in halves.iter_mut().zip(raw) {
            *half = f16::from_le_bytes(raw);
        }
        halves.convert_to_f32_slice(out);
    }
}

/// The value of a binary16, without a branch, so that compilers use vectors.
#[inline(always)]
pub(crate) fn from_f16(raw: [u8; 2]) -> f32 {
    /// Exponents of f32 are biased by 127, those of a binary16 by 15.
    const REBIASED: f32 = f32::from_bits((127 + 127 - 15) << 23);
    const INFINITE: u32 = 0x7c00;
    let bits = u32::from(u16::from_le_bytes(raw));
    let (sign, rest) = ((bits & 0x8000) << 16, bits & 0x7fff);
    let finite = (f32::from_bits(rest << 13) * REBIASED).to_bits(); // a power of two: subnormals are exact, too
    let infinite = 0x7f80_0000 | rest << 13;
    f32::from_bits(sign | if rest < INFINITE { finite } else { infinite })
}

#[inline(always)]
pub(crate) fn from_bf16(raw: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(raw)) << 16)
}

#[inline(always)]
pub(crate) fn from_i8(raw: [u8; 1]) -> f32 {
    f32::from(i8::from_le_bytes(raw))
}

#[inline(always)]
pub(crate) fn from_u8([raw]: [u8; 1]) -> f32 {
    f32::from(raw)
}

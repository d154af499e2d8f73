//! The types of components in files, and their exact conversion to f32.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// The type of a component in a file. Every value of each type is an f32, so that widening is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    BF16,
    /// Integers from −128 to 127.
    I8,
    /// Integers from 0 to 255.
    U8,
}

impl Dtype {
    /// NumPy's name of the type (`bfloat16` is from ml_dtypes).
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::I8 => "int8",
            Self::U8 => "uint8",
        }
    }

    /// Bytes of a component.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }

    /// Widens little-endian components, which may begin at any address, to f32; both slices have the same number of
    /// components.
    pub(crate) fn widen(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => each(bytes, out, f32::from_le_bytes),
            Self::F16 => widen_halves(bytes, out),
            Self::BF16 => each(bytes, out, |raw| bf16::from_le_bytes(raw).to_f32()),
            Self::I8 => each(bytes, out, |raw| f32::from(i8::from_le_bytes(raw))),
            Self::U8 => each(bytes, out, |[raw]| f32::from(raw)),
        }
    }
}

#[inline(always)]
fn each<const SIZE: usize>(bytes: &[u8], out: &mut [f32], value: impl Fn([u8; SIZE]) -> f32) {
    for (out, &raw) in out.iter_mut().zip(bytes.as_chunks().0) {
        *out = value(raw);
    }
}

/// In blocks: the hardware conversion, where there is one, takes slices of f16.
fn widen_halves(bytes: &[u8], out: &mut [f32]) {
    const BLOCK: usize = 256;
    let mut block = [f16::ZERO; BLOCK];
    for (out, raws) in out.chunks_mut(BLOCK).zip(bytes.chunks(2 * BLOCK)) {
        let halves = &mut block[..out.len()];
        for (half, &raw) in halves.iter_mut().zip(raws.as_chunks().0) {
            *half = f16::from_le_bytes(raw);
        }
        halves.convert_to_f32_slice(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widened(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
        let mut out = vec![0.0; bytes.len() / dtype.size()];
        dtype.widen(bytes, &mut out);
        out
    }

    #[test]
    fn every_value_of_the_small_types_is_widened_exactly() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(widened(Dtype::U8, &bytes), (0..256).map(|n| n as f32).collect::<Vec<_>>());
        assert_eq!(widened(Dtype::I8, &bytes[125..131]), [125.0, 126.0, 127.0, -128.0, -127.0, -126.0]);
        let words: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let (halves, brains) = (widened(Dtype::F16, &words), widened(Dtype::BF16, &words));
        for bits in 0..=u16::MAX {
            let (half, brain) = (halves[usize::from(bits)], brains[usize::from(bits)]);
            assert!(half.to_bits() == f16::from_bits(bits).to_f32().to_bits() || half.is_nan());
            assert!(brain.to_bits() == u32::from(bits) << 16 || brain.is_nan());
        }
    }

    #[test]
    fn addresses_need_no_alignment() {
        let values = [1.5f32, -2.25, 3e-40];
        let mut bytes = vec![0];
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        assert_eq!(widened(Dtype::F32, &bytes[1..]), values);
    }
}

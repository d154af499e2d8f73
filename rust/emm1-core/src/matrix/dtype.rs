//! The types of components in files, and their exact conversion to f32.

use crate::shape::Row;

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

    /// The components in little-endian bytes, which may begin at any address; None for f32 that are not as in memory.
    #[inline]
    pub(crate) fn row(self, bytes: &[u8]) -> Option<Row<'_>> {
        Some(match self {
            Self::F32 if cfg!(target_endian = "little") => Row::F32(bytemuck::try_cast_slice(bytes).ok()?),
            Self::F32 => return None,
            Self::F16 => Row::F16(bytes.as_chunks().0),
            Self::BF16 => Row::BF16(bytes.as_chunks().0),
            Self::I8 => Row::I8(bytes.as_chunks().0),
            Self::U8 => Row::U8(bytes.as_chunks().0),
        })
    }

    /// Widens little-endian components, which may begin at any address, to f32; both slices have the same number of
    /// components.
    pub(crate) fn widen(self, bytes: &[u8], out: &mut [f32]) {
        let Some(row) = self.row(bytes) else {
            let values = bytes.as_chunks().0.iter().map(|&raw| f32::from_le_bytes(raw));
            return out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
        };
        row.widen(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

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

//! Functions of a row as its file holds it: one for each type of components, which are widened in registers. The files of
//! instruction sets have their sums, as the reference score defines them.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::scalar::LANES;
use crate::shape::Row;

/// A function of a and of the components of a row. Slices are passed in registers. A [`Row`] would be passed in memory, and
/// reading what was just written there keeps a call from overlapping with the one before: sums took twice as long.
pub(crate) struct OfRow<A: ?Sized, T> {
    pub(super) f32: fn(&A, &[f32]) -> T,
    pub(super) f16: fn(&A, &[[u8; 2]]) -> T,
    pub(super) bf16: fn(&A, &[[u8; 2]]) -> T,
    pub(super) i8: fn(&A, &[[u8; 1]]) -> T,
    pub(super) u8: fn(&A, &[[u8; 1]]) -> T,
}

impl<A: ?Sized, T> Clone for OfRow<A, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: ?Sized, T> Copy for OfRow<A, T> {}

impl<A: ?Sized, T> OfRow<A, T> {
    #[inline]
    pub(crate) fn of(&self, a: &A, b: Row<'_>) -> T {
        match b {
            Row::F32(b) => (self.f32)(a, b),
            Row::F16(b) => (self.f16)(a, b),
            Row::BF16(b) => (self.bf16)(a, b),
            Row::I8(b) => (self.i8)(a, b),
            Row::U8(b) => (self.u8)(a, b),
        }
    }
}

/// Chunks of [`LANES`], and the remainder, if there is one, padded with zeros: adding their products changes no bit.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn parts<T: Copy + Default>(values: &[T]) -> (&[[T; LANES]], Option<[T; LANES]>) {
    let (parts, rest) = values.as_chunks();
    if rest.is_empty() {
        return (parts, None);
    }
    let mut padded = [T::default(); LANES];
    padded[..rest.len()].copy_from_slice(rest);
    (parts, Some(padded))
}

/// An [`OfRow`] whose functions have the same body, compiled with the features of an instruction set, but for how they
/// load components of each type.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! of_row {
    ($features:literal, [$f32:expr, $f16:expr, $bf16:expr, $i8:expr, $u8:expr], fn($a:ident: &$A:ty, $b:ident, $load:ident) -> $T:ty $body:block) => {{
        #[target_feature(enable = $features)]
        fn with_f32($a: &$A, $b: &[f32]) -> $T {
            let $load = $f32;
            $body
        }

        #[target_feature(enable = $features)]
        fn with_f16($a: &$A, $b: &[[u8; 2]]) -> $T {
            let $load = $f16;
            $body
        }

        #[target_feature(enable = $features)]
        fn with_bf16($a: &$A, $b: &[[u8; 2]]) -> $T {
            let $load = $bf16;
            $body
        }

        #[target_feature(enable = $features)]
        fn with_i8($a: &$A, $b: &[[u8; 1]]) -> $T {
            let $load = $i8;
            $body
        }

        #[target_feature(enable = $features)]
        fn with_u8($a: &$A, $b: &[[u8; 1]]) -> $T {
            let $load = $u8;
            $body
        }

        $crate::kernel::OfRow {
            // SAFETY: a table of kernels is returned only where its features were detected; the same holds for all types.
            f32: |a, b| unsafe { with_f32(a, b) },
            // SAFETY: as above.
            f16: |a, b| unsafe { with_f16(a, b) },
            // SAFETY: as above.
            bf16: |a, b| unsafe { with_bf16(a, b) },
            // SAFETY: as above.
            i8: |a, b| unsafe { with_i8(a, b) },
            // SAFETY: as above.
            u8: |a, b| unsafe { with_u8(a, b) },
        }
    }};
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use of_row;

//! AVX2: 32 bytes of nibbles a step.

use std::arch::x86_64::*;

use super::{FOUR, divide, scalar, x86};
use crate::shape::{Panel, STEP};

/// Rows and panels with each sum in two registers.
const TILES: [usize; 2] = [4, 1];

pub(super) fn kernels() -> Option<&'static Kernels> {
    let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
    has.then_some(&KERNELS)
}

x86::kernels!(avx2, "avx2", "avx2,fma,f16c", MAX_COMPONENT);

/// Steps after which sums of 16 bits are widened to 32: 8 products of pairs, 8 · 2 · 15 · 127 = 30,480.
const FULL: usize = 2;

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn four_dots(rows: [&[u8]; FOUR], query: &[i8]) -> [i32; FOUR] {
    let (nibble, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    let steps = query.len() / (2 * STEP);
    // Row by row, as they are in memory: the hardware prefetcher follows one stream best.
    let sums = rows.map(|row| {
        let row = row[..steps * STEP].as_ptr();
        let mut sum = _mm256_setzero_si256();
        for begin in (0..steps).step_by(FULL) {
            let mut short = _mm256_setzero_si256();
            for step in begin..steps.min(begin + FULL) {
                for half in [0, STEP / 2] {
                    // SAFETY: the row has `steps` · STEP bytes, and `query` twice as many.
                    let (bytes, first, second) = unsafe {
                        let query = query.as_ptr().add(step * 2 * STEP + half);
                        (
                            _mm256_loadu_si256(row.add(step * STEP + half).cast()),
                            _mm256_loadu_si256(query.cast()),
                            _mm256_loadu_si256(query.add(STEP).cast()),
                        )
                    };
                    let low = _mm256_and_si256(bytes, nibble);
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
                    let pairs = _mm256_add_epi16(_mm256_maddubs_epi16(low, first), _mm256_maddubs_epi16(high, second));
                    short = _mm256_add_epi16(short, pairs);
                }
            }
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(short, ones));
        }
        sum
    });
    added(sums)
}

/// Sums the eight lanes of each.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn added(sums: [__m256i; FOUR]) -> [i32; FOUR] {
    let fours = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    let whole = _mm_add_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256::<1>(fours));
    let mut products = [0; FOUR];
    // SAFETY: four lanes of 32 bits fit.
    unsafe { _mm_storeu_si128(products.as_mut_ptr().cast(), whole) };
    products
}

/// Products of a row of bytes with up to four queries; all have the same length, a multiple of [`STEP`].
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn row_with<const N: usize>(row: &[u8], queries: [&[i8]; N]) -> [i32; FOUR] {
    /// Half steps after which sums of 16 bits are widened to 32: 8 products of pairs, 8 · 2 · 15 · 127 = 30,480.
    const HALVES: usize = 8;
    let (nibble, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    let mut sums = [_mm256_setzero_si256(); FOUR];
    for begin in (0..row.len()).step_by(HALVES * STEP / 2) {
        let mut short = [[_mm256_setzero_si256(); 2]; N];
        for at in (begin..row.len().min(begin + HALVES * STEP / 2)).step_by(STEP / 2) {
            // SAFETY: the row and the queries are as long, a multiple of 32 bytes.
            let bytes = unsafe { _mm256_loadu_si256(row[at..at + STEP / 2].as_ptr().cast()) };
            let (low, high) =
                (_mm256_and_si256(bytes, nibble), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble));
            for (short, query) in short.iter_mut().zip(queries) {
                // SAFETY: as above.
                let query = unsafe { _mm256_loadu_si256(query[at..at + STEP / 2].as_ptr().cast()) };
                short[0] = _mm256_add_epi16(short[0], _mm256_maddubs_epi16(low, query));
                short[1] = _mm256_add_epi16(short[1], _mm256_maddubs_epi16(high, query));
            }
        }
        for (sum, [low, high]) in sums.iter_mut().zip(short) {
            let high = _mm256_slli_epi32::<4>(_mm256_madd_epi16(high, ones));
            *sum = _mm256_add_epi32(*sum, _mm256_add_epi32(_mm256_madd_epi16(low, ones), high));
        }
    }
    added(sums)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn divide(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    products: &[i32],
    margins: &[Margins; 2],
    lanes: usize,
    found: &mut Divided,
) {
    divide::divide(records, places, products, margins, lanes, found);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn divide_finer(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    products: [&[i32]; 2],
    missed: &[f32],
    margins: &[Margins; 2],
    lanes: usize,
    found: &mut Divided,
) {
    divide::divide_finer(records, places, products, missed, margins, lanes, found);
}

/// The largest component of a query in a panel: two products of pairs fit in 16 bits, 2 · 2 · 255 · 31 = 31,620.
const MAX_COMPONENT: i8 = 31;

#[target_feature(enable = "avx2,fma,f16c")]
fn multiply(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    match panel.lanes() {
        8 => tiles::<1, 8>(rows, panel, 0, products),
        lanes => (0..lanes).step_by(16).for_each(|first| tiles::<2, 4>(rows, panel, first, products)),
    }
}

/// Multiplies `R` rows by `8 · V` queries from `first` on at a time, with each sum in a register.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn tiles<const V: usize, const R: usize>(rows: &[u8], panel: &Panel, first: usize, products: &mut [i32]) {
    let (stride, lanes) = (panel.stride(), panel.lanes());
    let components = panel.components();
    assert!(components.len() == stride * lanes && first + 8 * V <= lanes);
    let ones = _mm256_set1_epi16(1);
    for (rows, products) in rows.chunks_exact(R * stride).zip(products.chunks_exact_mut(R * lanes)) {
        let mut sums = [[_mm256_setzero_si256(); V]; R];
        for quad in (0..stride / 4).step_by(2) {
            // SAFETY: each of the R rows has `stride` bytes, a multiple of eight, and the panel four times `lanes` for each
            // four of them.
            unsafe {
                let queries: [[__m256i; 2]; V] = std::array::from_fn(|v| {
                    [quad, quad + 1].map(|quad| {
                        _mm256_loadu_si256(components.as_ptr().add((quad * lanes + first + 8 * v) * 4).cast())
                    })
                });
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = rows.as_ptr().add(r * stride + 4 * quad).cast::<i32>();
                    let one = _mm256_set1_epi32(row.read_unaligned());
                    let two = _mm256_set1_epi32(row.add(1).read_unaligned());
                    for (sum, query) in sums.iter_mut().zip(&queries) {
                        let pairs =
                            _mm256_add_epi16(_mm256_maddubs_epi16(one, query[0]), _mm256_maddubs_epi16(two, query[1]));
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
        }
        for (sums, products) in sums.iter().zip(products.chunks_exact_mut(lanes)) {
            for (sum, products) in sums.iter().zip(products[first..].chunks_exact_mut(8)) {
                // SAFETY: eight lanes of 32 bits fit.
                unsafe { _mm256_storeu_si256(products.as_mut_ptr().cast(), *sum) };
            }
        }
    }
}

//! AVX-512 with VNNI: 64 bytes of nibbles a step, four products of bytes summed by one instruction.

use std::arch::x86_64::*;

use super::{FOUR, scalar, x86};
use crate::shape::{FINER, Panel, STEP, TILE, WIDEST};

/// Rows and panels with each sum in a register.
const TILES: [usize; 2] = [8, 2];

pub(super) fn kernels() -> Option<&'static Kernels> {
    let has = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni");
    has.then_some(&KERNELS)
}

x86::kernels!(avx512, "avx512", "avx512f,avx512bw,avx512vl,avx512vnni", i8::MAX);

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn four_dots(rows: [&[u8]; FOUR], query: &[i8]) -> [i32; FOUR] {
    let nibble = _mm512_set1_epi8(15);
    let steps = query.len() / (2 * STEP);
    // Row by row, as they are in memory: the hardware prefetcher follows one stream best. Each row has two sums, so
    // that no instruction waits for the previous one.
    let sums = rows.map(|row| {
        let row = row[..steps * STEP].as_ptr();
        let (mut low, mut high) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for step in 0..steps {
            // SAFETY: the row has `steps` · STEP bytes, and `query` twice as many.
            let (bytes, first, second) = unsafe {
                let query = query.as_ptr().add(step * 2 * STEP);
                (
                    _mm512_loadu_si512(row.add(step * STEP).cast()),
                    _mm512_loadu_si512(query.cast()),
                    _mm512_loadu_si512(query.add(STEP).cast()),
                )
            };
            low = _mm512_dpbusd_epi32(low, _mm512_and_si512(bytes, nibble), first);
            high = _mm512_dpbusd_epi32(high, _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble), second);
        }
        _mm512_add_epi32(low, high)
    });
    added(sums)
}

/// Sums the sixteen lanes of each: pairs, fours, then the four quarters.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn added(sums: [__m512i; FOUR]) -> [i32; FOUR] {
    let pairs = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (a, b) = (pairs(sums[0], sums[1]), pairs(sums[2], sums[3]));
    let fours = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let halves = _mm256_add_epi32(_mm512_castsi512_si256(fours), _mm512_extracti64x4_epi64::<1>(fours));
    let whole = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
    let mut products = [0; FOUR];
    // SAFETY: four lanes of 32 bits fit.
    unsafe { _mm_storeu_si128(products.as_mut_ptr().cast(), whole) };
    products
}

/// Products of a row of bytes with up to four queries; all have the same length, a multiple of [`STEP`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn row_with<const N: usize>(row: &[u8], queries: [&[i8]; N]) -> [i32; FOUR] {
    let queries = queries.map(|query| query[..row.len()].as_ptr());
    // Two sums for each query, so that no instruction waits for the previous one.
    let mut sums = [[_mm512_setzero_si512(); FOUR]; 2];
    let steps = row.len() / STEP;
    let add = |step: usize, sums: &mut [__m512i; FOUR]| {
        // SAFETY: the row and the queries have `steps` · STEP bytes.
        unsafe {
            let bytes = _mm512_loadu_si512(row.as_ptr().add(step * STEP).cast());
            for (sum, query) in sums.iter_mut().zip(queries) {
                *sum = _mm512_dpbusd_epi32(*sum, bytes, _mm512_loadu_si512(query.add(step * STEP).cast()));
            }
        }
    };
    for step in (1..steps).step_by(2) {
        add(step - 1, &mut sums[0]);
        add(step, &mut sums[1]);
    }
    if steps % 2 == 1 {
        add(steps - 1, &mut sums[0]);
    }
    let mut both = sums[0];
    for (sum, other) in both.iter_mut().zip(sums[1]) {
        *sum = _mm512_add_epi32(*sum, other);
    }
    added(both)
}

/// The fields of a record that a margin takes, in every lane; `rest` is zero where products are not finer.
struct Fields {
    scale: __m512,
    missed: __m512,
    rest: __m512,
    centred: __m512,
    norm: __m512,
    square: __m512,
}

impl Fields {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new(record: &Record, missed: f32, rest: f32) -> Self {
        Self {
            scale: _mm512_set1_ps(record.scale),
            missed: _mm512_set1_ps(missed),
            rest: _mm512_set1_ps(rest),
            centred: _mm512_set1_ps(record.centred),
            norm: _mm512_set1_ps(record.norm),
            square: _mm512_set1_ps(record.centred * record.centred),
        }
    }

    /// Which of sixteen lanes survive: the sums of `Margins`, in the same order.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn survive<const FINER: bool>(&self, margins: &Margins, begin: usize, product: __m512) -> __mmask16 {
        let load = |part: &[f32; WIDEST]| {
            // SAFETY: there are sixteen lanes from 0 and from 16 on.
            unsafe { _mm512_loadu_ps(part[begin..begin + 16].as_ptr()) }
        };
        let scaled = _mm512_mul_ps(self.scale, _mm512_add_ps(product, load(&margins.offset)));
        let mut lengths = _mm512_mul_ps(load(&margins.missed), self.missed);
        if FINER {
            lengths = _mm512_add_ps(lengths, _mm512_mul_ps(load(&margins.rest), self.rest));
        }
        lengths = _mm512_add_ps(lengths, _mm512_mul_ps(load(&margins.centred), self.centred));
        let norms = _mm512_mul_ps(load(&margins.norm), self.norm);
        let squares = _mm512_add_ps(norms, _mm512_mul_ps(load(&margins.square), self.square));
        let lengths = _mm512_add_ps(_mm512_add_ps(load(&margins.constant), lengths), squares);
        _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_add_ps(lengths, scaled), _mm512_setzero_ps())
    }
}

/// Divides sixteen lanes from `begin` on: those that are undecided.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn divide_sixteen<const FINER: bool>(
    fields: &Fields,
    [margins, converses]: &[Margins; 2],
    begin: usize,
    product: __m512,
    open: __mmask16,
    above: &mut __m512i,
) -> u32 {
    let reached = fields.survive::<FINER>(margins, begin, product) & open;
    if reached == 0 {
        return 0;
    }
    let negated = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(product), _mm512_set1_epi32(i32::MIN)));
    let unsure = fields.survive::<FINER>(converses, begin, negated);
    *above = _mm512_mask_add_epi32(*above, reached & !unsure, *above, _mm512_set1_epi32(1));
    u32::from(reached & unsure) << begin
}

/// Sixteen products of a row, or eight and zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn sixteen_of(products: &[i32]) -> __m512i {
    let lanes = if products.len() < 16 { 0xff } else { 0xffff };
    assert!(products.len() >= 8);
    // SAFETY: only as many are read as there are.
    unsafe { _mm512_maskz_loadu_epi32(lanes, products.as_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn divide(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    products: &[i32],
    margins: &[Margins; 2],
    lanes: usize,
    found: &mut Divided,
) {
    let mut above = [_mm512_setzero_si512(); WIDEST / 16];
    for (at, (&place, products)) in places.iter().zip(products.chunks_exact(lanes)).enumerate() {
        let record = Record::from_bytes(&records[place as usize]);
        let fields = Fields::new(&record, record.fine, 0.0);
        let mut unsure = 0;
        for (number, (products, above)) in products.chunks(16).zip(&mut above).enumerate() {
            let product = _mm512_cvtepi32_ps(sixteen_of(products));
            unsure |= divide_sixteen::<false>(&fields, margins, 16 * number, product, !0, above);
        }
        if unsure != 0 {
            found.unsure.push((at as u32, unsure));
        }
    }
    add_above(&above, found);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn divide_finer(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    [products, finer]: [&[i32]; 2],
    missed: &[f32],
    margins: &[Margins; 2],
    lanes: usize,
    found: &mut Divided,
) {
    let step = _mm512_set1_ps(1.0 / FINER as f32);
    let mut above = [_mm512_setzero_si512(); WIDEST / 16];
    for (at, bits) in &mut found.unsure {
        let (at, open) = (*at as usize, *bits);
        if missed[at] == f32::INFINITY {
            continue;
        }
        let record = Record::from_bytes(&records[places[at] as usize]);
        let fields = Fields::new(&record, missed[at], record.fine);
        let rows = [products, finer].map(|products| &products[at * lanes..][..lanes]);
        *bits = 0;
        for (number, ((products, more), above)) in
            rows[0].chunks(16).zip(rows[1].chunks(16)).zip(&mut above).enumerate()
        {
            let (product, more) = (_mm512_cvtepi32_ps(sixteen_of(products)), _mm512_cvtepi32_ps(sixteen_of(more)));
            let product = _mm512_add_ps(product, _mm512_mul_ps(more, step));
            let open = (open >> (16 * number)) as __mmask16;
            *bits |= divide_sixteen::<true>(&fields, margins, 16 * number, product, open, above);
        }
    }
    found.unsure.retain(|&(_, unsure)| unsure != 0);
    add_above(&above, found);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_above(above: &[__m512i; WIDEST / 16], found: &mut Divided) {
    for (all, above) in found.above.chunks_exact_mut(16).zip(above) {
        // SAFETY: both have sixteen lanes of 32 bits.
        unsafe {
            let sum = _mm512_add_epi32(_mm512_loadu_si512(all.as_ptr().cast()), *above);
            _mm512_storeu_si512(all.as_mut_ptr().cast(), sum);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn multiply(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    match panel.lanes() {
        8 => eights(rows, panel, products),
        16 => sixteens::<1, TILE>(rows, panel, products),
        _ => sixteens::<2, { TILE / 2 }>(rows, panel, products),
    }
}

/// Multiplies `R` rows by `16 · V` queries at a time, with each sum in a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn sixteens<const V: usize, const R: usize>(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    let stride = panel.stride();
    let components = panel.components();
    assert!(components.len() == stride * V * 16);
    for (rows, products) in rows.chunks_exact(R * stride).zip(products.chunks_exact_mut(R * V * 16)) {
        let mut sums = [[_mm512_setzero_si512(); V]; R];
        for quad in 0..stride / 4 {
            // SAFETY: each of the R rows has `stride` bytes, and the panel V · 64 for each four of them.
            unsafe {
                let queries: [__m512i; V] =
                    std::array::from_fn(|v| _mm512_loadu_si512(components.as_ptr().add((quad * V + v) * 64).cast()));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let bytes = rows.as_ptr().add(r * stride + 4 * quad).cast::<i32>().read_unaligned();
                    let bytes = _mm512_set1_epi32(bytes);
                    for (sum, &query) in sums.iter_mut().zip(&queries) {
                        *sum = _mm512_dpbusd_epi32(*sum, bytes, query);
                    }
                }
            }
        }
        for (sum, products) in sums.as_flattened().iter().zip(products.chunks_exact_mut(16)) {
            // SAFETY: sixteen lanes of 32 bits fit.
            unsafe { _mm512_storeu_si512(products.as_mut_ptr().cast(), *sum) };
        }
    }
}

/// Like [`sixteens`], for eight queries, of which a register holds two quads each: so they take half the time of sixteen.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn eights(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    let stride = panel.stride();
    let components = panel.components();
    assert!(components.len() == stride * 8 && stride.is_multiple_of(8));
    // From eight queries' first quads and eight queries' second ones to both quads of each.
    let pairs = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    for (rows, products) in rows.chunks_exact(TILE * stride).zip(products.chunks_exact_mut(TILE * 8)) {
        let mut sums = [_mm512_setzero_si512(); TILE];
        for pair in 0..stride / 8 {
            // SAFETY: each of the rows has `stride` bytes, a multiple of eight, and the panel 64 for each eight of them.
            unsafe {
                let query = _mm512_loadu_si512(components.as_ptr().add(pair * 64).cast());
                let query = _mm512_permutexvar_epi32(pairs, query);
                for (r, sum) in sums.iter_mut().enumerate() {
                    let bytes = rows.as_ptr().add(r * stride + 8 * pair).cast::<i64>().read_unaligned();
                    *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi64(bytes), query);
                }
            }
        }
        for (sum, products) in sums.iter().zip(products.chunks_exact_mut(8)) {
            let both = _mm512_add_epi32(*sum, _mm512_srli_epi64::<32>(*sum));
            // SAFETY: eight lanes of 32 bits fit.
            unsafe { _mm256_storeu_si256(products.as_mut_ptr().cast(), _mm512_cvtepi64_epi32(both)) };
        }
    }
}

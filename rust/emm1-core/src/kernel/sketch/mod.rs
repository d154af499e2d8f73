//! Bounds from sketches, and the projections that sketches are made of. Only the integer products are written by hand for
//! each instruction set.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
#[cfg(test)]
mod tests;

use super::prefetch;
use crate::shape::{
    Finish, GROUP, NARROW, Record, SketchFactors, SketchQuery, SketchTile, Sketched, UNKNOWN, VECTOR, Zones, reaches,
};

/// Components of a query for a vector of each zone: those of the first have two halves.
pub(super) const QUERY: [usize; Zones::COUNT] = [2 * Zones::per_vector(0), Zones::per_vector(1), Zones::per_vector(2)];

/// The sums of the products of each row of a group: with the high halves and the low halves of the query's components in
/// the first zone, and those of the other two zones.
pub(super) type Sums = [[i32; GROUP]; 4];

/// The vectors of each zone in a group, and the components of a query for each of them.
#[inline(always)]
pub(super) fn zones_of<'a>(
    zones: Zones,
    group: &'a [u8],
    query: &'a [i8],
) -> [(&'a [[u8; VECTOR]], &'a [i8]); Zones::COUNT] {
    let [first, second, third] = zones.vectors;
    let vectors = group.as_chunks().0;
    let (a, rest) = vectors.split_at(first);
    let (b, rest) = rest.split_at(second);
    let (c, _) = rest.split_at(third);
    let (x, rest) = query.split_at(first * QUERY[0]);
    let (y, rest) = rest.split_at(second * QUERY[1]);
    [(a, x), (b, y), (c, &rest[..third * QUERY[2]])]
}

/// [`zones_of`] for a tile of queries, four components of each at a time.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn zones_of_tile<'a>(
    zones: Zones,
    group: &'a [u8],
    tile: &'a [i8],
) -> [(&'a [[u8; VECTOR]], &'a [Fours]); Zones::COUNT] {
    let (mut vectors, mut fours) = (group.as_chunks().0, tile.as_chunks().0);
    std::array::from_fn(|zone| {
        let (these, rest) = vectors.split_at(zones.vectors[zone]);
        let (components, others) = fours.split_at(zones.vectors[zone] * QUERY[zone] / 4);
        (vectors, fours) = (rest, others);
        (these, components)
    })
}

/// Four components of each query of a tile.
#[cfg(target_arch = "x86_64")]
pub(super) type Fours = [i8; 4 * crate::shape::SIDE];

/// How far ahead a scan prefetches: the hardware prefetcher stops at the end of a page.
const AHEAD: usize = 4096;

/// Bounds of the rows of groups: upper bounds, and estimates without what was missed. See `bound::sketch`.
#[inline(always)]
pub(super) fn bounds(
    sketched: Sketched<'_>,
    query: &SketchQuery,
    upper: &mut [f32],
    estimates: &mut [f32],
    sums: impl Fn(Zones, &[u8], &[i8]) -> Sums,
) {
    let (zones, size) = (sketched.zones, sketched.zones.group());
    let (upper, estimates) = (upper.as_chunks_mut::<GROUP>().0, estimates.as_chunks_mut::<GROUP>().0);
    for (number, group) in sketched.groups.chunks_exact(size).enumerate() {
        if let Some(lines) = sketched.groups.get(number * size + AHEAD..(number + 1) * size + AHEAD) {
            lines.chunks(VECTOR).for_each(prefetch);
        }
        let sums = sums(zones, group, &query.components);
        let lengths = group[size - VECTOR..].first_chunk().expect("a group ends with a vector of lengths");
        [upper[number], estimates[number]] = bound(&query.factors, &sums, lengths);
    }
}

/// The bounds with several queries, by their definition: those with each.
pub(super) fn one_by_one(
    sketched: Sketched<'_>,
    tile: &SketchTile<'_>,
    upper: &mut [f32],
    estimates: &mut [f32],
    bounds: impl Fn(Sketched<'_>, &SketchQuery, &mut [f32], &mut [f32]),
) {
    let rows = sketched.groups.len() / sketched.zones.width();
    let out = upper.chunks_exact_mut(rows).zip(estimates.chunks_exact_mut(rows));
    tile.queries.iter().zip(out).for_each(|(query, (upper, estimates))| bounds(sketched, query, upper, estimates));
}

/// The bounds and the estimates of a group.
#[inline(always)]
fn bound(factors: &SketchFactors, sums: &Sums, lengths: &[u8; VECTOR]) -> [[f32; GROUP]; 2] {
    let SketchFactors { products: [high, low, two, one], offset, lengths: [first, second, third, rest], slack } =
        factors;
    let (mut upper, mut estimates) = ([0.0; GROUP], [0.0; GROUP]);
    for row in 0..GROUP {
        let wide = sums[0][row] as f32 * high + sums[1][row] as f32 * low;
        let narrow = sums[2][row] as f32 * two + sums[3][row] as f32 * one;
        let estimate = (wide + narrow) + offset;
        let word = u32::from_le_bytes([4 * row, 4 * row + 1, 4 * row + 2, 4 * row + 3].map(|at| lengths[at]));
        let length = |zone: u32| (word >> (8 * zone) & 255) as i32 as f32;
        let missed = (length(0) * first + length(1) * second) + (length(2) * third + length(3) * rest);
        let bound = estimate + (missed + slack);
        upper[row] = if word >> 24 == u32::from(UNKNOWN) { f32::INFINITY } else { bound };
        estimates[row] = estimate;
    }
    [upper, estimates]
}

/// Appends the positions of the bounds that reach what is needed, or are NaN.
#[inline(always)]
pub(super) fn reaching(upper: &[f32], needed: f32, out: &mut Vec<u32>) {
    let (groups, rest) = upper.as_chunks::<GROUP>();
    for (number, group) in groups.iter().enumerate() {
        if group.iter().fold(false, |any, &bound| any | reaches(bound, needed)) {
            // Each position is written, but counted only if its bound reaches: there is no branch to mispredict.
            let (mut kept, mut count) = ([0; GROUP], 0);
            for (at, &bound) in group.iter().enumerate() {
                kept[count] = (number * GROUP + at) as u32;
                count += usize::from(reaches(bound, needed));
            }
            out.extend_from_slice(&kept[..count]);
        }
    }
    let begin = (upper.len() - rest.len()) as u32;
    out.extend((begin..).zip(rest).filter(|&(_, &bound)| reaches(bound, needed)).map(|(at, _)| at));
}

/// Makes the bounds of products those of scores.
#[inline(always)]
pub(super) fn finish(records: &[[u8; Record::BYTES]], finish: Finish, upper: &mut [f32], estimates: &mut [f32]) {
    let rows = records.iter().map(Record::from_bytes).zip(upper.iter_mut().zip(estimates));
    match finish {
        Finish::Product => {}
        Finish::Quotient { constant, factor } => rows.for_each(|(record, (upper, estimate))| {
            let norm = record.norm * factor;
            let quotient = (*upper + constant) / norm;
            *upper = quotient + quotient.abs() * NARROW as f32;
            *estimate = (*estimate + constant) / norm;
        }),
        Finish::Difference { factor } => rows.for_each(|(record, (upper, estimate))| {
            let square = record.centred * record.centred * factor;
            *upper -= square;
            *estimate -= square;
        }),
    }
}

/// The sums of products of a group, by their definition.
pub(super) fn scalar(zones: Zones, group: &[u8], query: &[i8]) -> Sums {
    let mut sums = [[0; GROUP]; 4];
    for (zone, (vectors, query)) in zones_of(zones, group, query).into_iter().enumerate() {
        let (bits, per) = (Zones::BITS[zone], Zones::per_vector(zone));
        let mask = (1 << bits) - 1;
        for (vector, query) in vectors.iter().zip(query.chunks_exact(QUERY[zone])) {
            for row in 0..GROUP {
                let code = |k: usize| i32::from(vector[4 * row + k % 4] >> (bits * (k / 4)) & mask);
                let product = |query: &[i8]| (0..per).map(|k| code(k) * i32::from(query[k])).sum::<i32>();
                if zone == 0 {
                    sums[0][row] += product(&query[..per]);
                    sums[1][row] += product(&query[per..]);
                } else {
                    sums[zone + 1][row] += product(query);
                }
            }
        }
    }
    sums
}

/// Axes that are projected on together.
pub(crate) const PANEL: usize = 16;
/// Rows are projected in multiples of this number.
pub(crate) const ROWS: usize = 8;
/// Products that are added up before their sum is added to that of the earlier ones: this keeps roundings few.
const CHUNK: usize = 32;

/// How many roundings a term of a projection takes part in: its product, the sums of its chunk, and those of the chunks.
pub(crate) fn roundings(dims: usize) -> usize {
    1 + CHUNK + dims.div_ceil(CHUNK)
}

/// Arranges axes for [`project`]: panel by panel, and in a panel component by component; axes of zeros fill the last.
pub(crate) fn panels(axes: &[f32], dims: usize) -> Vec<f32> {
    let count = (axes.len() / dims).next_multiple_of(PANEL);
    let mut panels = vec![0.0; count * dims];
    for (axis, components) in axes.chunks_exact(dims).enumerate() {
        let panel = &mut panels[axis / PANEL * PANEL * dims..][..PANEL * dims];
        for (place, &component) in panel[axis % PANEL..].iter_mut().step_by(PANEL).zip(components) {
            *place = component;
        }
    }
    panels
}

/// Products of rows with axes, `V` panels of them and `R` rows at a time, in f32 without fused operations and in one
/// order, so that all instruction sets give the same bits.
#[inline(always)]
pub(super) fn project<const R: usize, const V: usize>(panels: &[f32], rows: &[f32], dims: usize, out: &mut [f32]) {
    let count = panels.len() / dims;
    let mut begin = 0;
    while begin < count {
        let wide = if begin + V * PANEL <= count { V } else { 1 };
        let these = &panels[begin * dims..][..wide * PANEL * dims];
        for (rows, out) in rows.chunks_exact(R * dims).zip(out.chunks_exact_mut(R * count)) {
            if wide == V {
                tile::<R, V>(these, rows, dims, count, begin, out);
            } else {
                tile::<R, 1>(these, rows, dims, count, begin, out);
            }
        }
        begin += wide * PANEL;
    }
}

#[inline(always)]
fn tile<const R: usize, const V: usize>(
    panels: &[f32],
    rows: &[f32],
    dims: usize,
    count: usize,
    begin: usize,
    out: &mut [f32],
) {
    let panels: [&[[f32; PANEL]]; V] =
        std::array::from_fn(|v| panels[v * PANEL * dims..(v + 1) * PANEL * dims].as_chunks().0);
    let rows: [&[f32]; R] = std::array::from_fn(|r| &rows[r * dims..(r + 1) * dims]);
    let mut sums = [[[0.0f32; PANEL]; V]; R];
    for chunk in (0..dims).step_by(CHUNK) {
        let end = dims.min(chunk + CHUNK);
        let panels = panels.map(|panel| &panel[chunk..end]);
        let rows = rows.map(|row| &row[chunk..end]);
        let mut parts = [[[0.0f32; PANEL]; V]; R];
        for j in 0..end - chunk {
            for r in 0..R {
                let value = rows[r][j];
                for v in 0..V {
                    for lane in 0..PANEL {
                        parts[r][v][lane] += value * panels[v][j][lane];
                    }
                }
            }
        }
        for (sum, part) in
            sums.as_flattened_mut().as_flattened_mut().iter_mut().zip(parts.as_flattened().as_flattened())
        {
            *sum += part;
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_exact_mut(count)) {
        out[begin..begin + V * PANEL].copy_from_slice(sums.as_flattened());
    }
}

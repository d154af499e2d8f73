//! Rows divided in those that are above, below and undecided, for the queries of a panel: in portable Rust, which AVX2
//! recompiles.

use super::Divided;
use crate::shape::{FINER, Margins, Record, WIDEST, survives};

/// The queries that are undecided about a row, given their margins and converses; counts the row for those that are not
/// and for which it is above.
#[inline(always)]
fn undecided(margins: &[f32], converses: &[f32], open: u32, above: &mut [u32]) -> u32 {
    let (converses, above) = (&converses[..margins.len()], &mut above[..margins.len()]);
    let mut bits = 0;
    for (lane, &margin) in margins.iter().enumerate() {
        let reached = u32::from(survives(margin)) & (open >> lane);
        let unsure = u32::from(survives(converses[lane]));
        above[lane] += reached & !unsure;
        bits |= (reached & unsure) << lane;
    }
    bits
}

#[inline(always)]
pub(super) fn divide(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    products: &[i32],
    [margins, converses]: &[Margins; 2],
    lanes: usize,
    found: &mut Divided,
) {
    let (mut product, mut margin, mut converse) = ([0.0f32; WIDEST], [0.0f32; WIDEST], [0.0f32; WIDEST]);
    let [product, margin, converse] = [&mut product, &mut margin, &mut converse].map(|lane| &mut lane[..lanes]);
    for (at, (&place, products)) in places.iter().zip(products.chunks_exact(lanes)).enumerate() {
        let record = Record::from_bytes(&records[place as usize]);
        product.iter_mut().zip(products).for_each(|(wide, &product)| *wide = product as f32);
        margins.of_products(&record, product, margin);
        if !margin.iter().fold(false, |any, &margin| any | survives(margin)) {
            continue;
        }
        product.iter_mut().for_each(|product| *product = -*product);
        converses.of_products(&record, product, converse);
        let unsure = undecided(margin, converse, u32::MAX, &mut found.above);
        if unsure != 0 {
            found.unsure.push((at as u32, unsure));
        }
    }
}

#[inline(always)]
pub(super) fn divide_finer(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    [products, finer]: [&[i32]; 2],
    missed: &[f32],
    [margins, converses]: &[Margins; 2],
    lanes: usize,
    found: &mut Divided,
) {
    const STEP: f32 = 1.0 / FINER as f32;
    let (mut product, mut margin, mut converse) = ([0.0f32; WIDEST], [0.0f32; WIDEST], [0.0f32; WIDEST]);
    let [product, margin, converse] = [&mut product, &mut margin, &mut converse].map(|lane| &mut lane[..lanes]);
    for (at, unsure) in &mut found.unsure {
        let at = *at as usize;
        if missed[at] == f32::INFINITY {
            continue;
        }
        let record = Record::from_bytes(&records[places[at] as usize]);
        let rows = [products, finer].map(|products| &products[at * lanes..][..lanes]);
        for ((wide, &product), &more) in product.iter_mut().zip(rows[0]).zip(rows[1]) {
            *wide = product as f32 + more as f32 * STEP;
        }
        margins.of_finer(&record, missed[at], product, margin);
        product.iter_mut().for_each(|product| *product = -*product);
        converses.of_finer(&record, missed[at], product, converse);
        *unsure = undecided(margin, converse, *unsure, &mut found.above);
    }
    found.unsure.retain(|&(_, unsure)| unsure != 0);
}

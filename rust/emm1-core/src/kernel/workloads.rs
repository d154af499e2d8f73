//! What each kernel is measured with: inputs that stay in the caches, so that the time is that of the kernel.
//!
//! `benches/kernels.rs` times these loops. They are here because kernels and their arguments are private to the crate:
//! this module shows the benchmarks closures, and nothing else has to become public for them. It is hidden from the
//! documentation, and linkers drop it from the libraries, which never call it. (A feature would hide it better, but then
//! linters and tests would not compile the benchmarks unless they are told to.)

use std::hint::black_box;

use super::*;
use crate::shape::{Finish, Missed, SIDE, SLACK, SketchQuery, SketchTile, Sketched, TILE, Zones, stride};

/// Coded rows: a multiple of [`RUN`] and of [`TILE`].
const ROWS: usize = 384;
const _: () = assert!(ROWS.is_multiple_of(RUN) && ROWS.is_multiple_of(TILE));
/// Rows of f32.
const VECTORS: usize = 64;
/// One row in so many survives for each query, as in a scan that prunes well.
const SURVIVES: usize = 64;
/// One row in so many is better than what a query ranks; the other survivors are undecided.
const ABOVE: usize = 2 * SURVIVES;
/// What is multiplied and pruned first in a search with one query.
const FIRST: Level = Level::FirstHigh;
/// Queries of a panel that a row is multiplied with again.
const AGAIN: u32 = 0x1111;
const SCALE: f32 = 0.01;

/// A kernel of an instruction set, ready to run.
pub struct Workload<'a> {
    /// The field of `Kernels`.
    pub kernel: &'static str,
    /// The name of the instruction set, as in `EMM1_SIMD`.
    pub set: &'static str,
    /// How much one run processes.
    pub amount: Amount,
    /// One run.
    pub run: Box<dyn FnMut() + 'a>,
}

/// How much a run processes.
#[derive(Clone, Copy)]
pub enum Amount {
    /// Bytes of rows that are read.
    Bytes(usize),
    /// Multiplications of a byte with a component of a query.
    Products(usize),
    /// Rows, each examined for one query.
    Rows(usize),
}

type Run<'a> = (Amount, Box<dyn FnMut() + 'a>);

/// Rows and queries with a number of components.
pub struct Inputs {
    dims: usize,
    /// Bytes of a row in a plane.
    width: usize,
    nibbles: Vec<u8>,
    /// Whole bytes, a row each [`stride`].
    bytes: Vec<u8>,
    records: Vec<[u8; Record::BYTES]>,
    places: Vec<u32>,
    /// Queries of a panel, small enough for each instruction set.
    queries: Vec<Vec<i8>>,
    packed: Vec<i8>,
    vectors: Vec<f32>,
    query: Vec<f32>,
    wide: Vec<f64>,
}

/// Pseudo-random bytes.
pub(super) fn noise(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    }
}

impl Inputs {
    /// Makes rows and queries of `dims` components.
    pub fn new(dims: usize) -> Self {
        let width = dims.div_ceil(2);
        let mut next = noise(dims as u64);
        let mut bytes = |count: usize| (0..count).map(|_| next()).collect::<Vec<u8>>();
        let most = available().map(|kernels| kernels.max_component).min().unwrap_or(1);
        let component = |byte: &u8| (*byte as i8).clamp(-most, most);
        let queries: Vec<Vec<i8>> = (0..WIDEST).map(|_| bytes(dims).iter().map(component).collect()).collect();
        let float = |byte: &u8| f32::from(*byte) * SCALE - 1.28;
        let query: Vec<f32> = bytes(dims).iter().map(float).collect();
        let record = |byte: &u8| {
            let missed = f64::from(*byte) / 4096.0;
            let missed = Missed { coarse: missed, mixed: 0.75 * missed, fine: missed / 16.0 };
            Record::rounded_up(SCALE, 1.0, 1.0, 0.7, &missed)
        };
        Self {
            dims,
            width,
            nibbles: bytes(ROWS * width + SLACK),
            bytes: bytes(ROWS * stride(width)),
            records: bytes(ROWS).iter().map(record).collect(),
            places: (0..ROWS as u32).collect(),
            packed: pack(width, &queries[0]),
            queries,
            vectors: bytes(VECTORS * dims).iter().map(float).collect(),
            wide: query.iter().copied().map(f64::from).collect(),
            query,
        }
    }

    /// The number of components.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Every kernel of every instruction set of this processor.
    pub fn workloads(&self) -> impl Iterator<Item = Workload<'_>> {
        available().flat_map(|kernels| {
            let run = |(kernel, (amount, run))| Workload { kernel, set: kernels.name, amount, run };
            self.of(kernels).into_iter().map(run)
        })
    }

    /// Every kernel. The pattern names all fields, so that a new kernel does not compile before it has its line here.
    fn of(&self, kernels: &'static Kernels) -> Vec<(&'static str, Run<'_>)> {
        let Kernels {
            name: _,
            max_component: _,
            dots_and_prune,
            dots,
            prune,
            unpack,
            multiply,
            prune_panel,
            divide,
            divide_finer,
            row_dots,
            dot,
            square,
            dot_and_square,
            squared_distance,
            rough_dot,
            hadamard,
            quantize,
            quantize_finer,
            sketch,
            sketch_tile,
            finish,
            project,
            reaching,
        } = *kernels;
        vec![
            ("dots_and_prune", self.dots_and_prune(dots_and_prune)),
            ("dots", self.dots(dots)),
            ("prune", self.prune(prune)),
            ("unpack", self.unpack(unpack)),
            ("multiply", self.multiply(multiply)),
            ("prune_panel", self.prune_panel(prune_panel)),
            ("divide", self.divide(divide)),
            ("divide_finer", self.divide_finer(divide_finer)),
            ("row_dots", self.row_dots(row_dots)),
            ("dot", self.of_vectors(move |row| dot.of(&self.wide, row))),
            ("dot f16", self.of_halves(move |row| dot.of(&self.wide, row))),
            ("square", self.of_vectors(move |row| square.of(&(), row))),
            ("dot_and_square", self.of_vectors(move |row| dot_and_square.of(&self.wide, row))),
            ("squared_distance", self.of_vectors(move |row| squared_distance.of(&self.wide, row))),
            ("rough_dot", self.of_vectors(move |row| rough_dot.of(&self.query, row))),
            ("hadamard", self.hadamard(hadamard)),
            ("quantize", self.quantize(quantize)),
            ("quantize_finer", self.quantize_finer(quantize_finer)),
            ("sketch", self.sketch(sketch)),
            ("sketch_tile", self.sketch_tile(sketch_tile)),
            ("finish", self.finish(finish)),
            ("project", self.project(project)),
            ("reaching", self.reaching(reaching)),
        ]
    }

    fn plane(&self) -> Plane<'_> {
        Plane { bytes: &self.nibbles, width: self.width }
    }

    fn dots_and_prune(&self, kernel: DotsAndPrune) -> Run<'_> {
        let factors = [(self.plane(), &self.packed[..], 16)];
        let margin = self.margin(&self.products_of_nibbles());
        let mut survivors = Vec::with_capacity(ROWS);
        let run = move || {
            survivors.clear();
            kernel(&factors, &self.records, 0..ROWS, FIRST, &margin, &mut survivors);
        };
        (Amount::Bytes(ROWS * self.width), Box::new(run))
    }

    fn dots(&self, kernel: Dots) -> Run<'_> {
        let mut products = vec![0; ROWS];
        let run = move || kernel(self.plane(), &self.places, &self.packed, &mut products);
        (Amount::Bytes(ROWS * self.width), Box::new(run))
    }

    /// Copying the rows that were there takes part of the time.
    fn prune(&self, kernel: Prune) -> Run<'_> {
        let products = self.products_of_nibbles();
        let margin = self.margin(&products);
        let row = |(place, product)| Survivor { place: place as u32, product };
        let all: Vec<Survivor> = products.into_iter().enumerate().map(row).collect();
        let mut survivors = all.clone();
        let run = move || {
            survivors.clone_from(&all);
            kernel(&self.records, FIRST, &margin, &mut survivors);
        };
        (Amount::Rows(ROWS), Box::new(run))
    }

    fn unpack(&self, kernel: Unpack) -> Run<'_> {
        let mut out = vec![0; 2 * self.width];
        let run = move || {
            for planes in self.nibbles[..ROWS * self.width].chunks_exact(2 * self.width) {
                let (high, low) = planes.split_at(self.width);
                kernel(high, low, &mut out);
            }
        };
        (Amount::Bytes(ROWS * self.width), Box::new(run))
    }

    fn panel(&self) -> Panel {
        Panel::new(self.width, self.queries.iter().map(Vec::as_slice))
    }

    fn multiply(&self, kernel: Multiply) -> Run<'_> {
        let panel = self.panel();
        let mut products = vec![0; ROWS * WIDEST];
        let run = move || kernel(&self.bytes, &panel, &mut products);
        (Amount::Products(ROWS * WIDEST * self.dims), Box::new(run))
    }

    fn prune_panel(&self, kernel: PrunePanel) -> Run<'_> {
        let products = self.products_of_panel();
        let [margins, _] = self.margins(&products);
        let mut survivors = Vec::with_capacity(ROWS);
        let run = move || {
            survivors.clear();
            kernel(&self.records, &self.places, &products, &margins, WIDEST, &mut survivors);
        };
        (Amount::Rows(ROWS * WIDEST), Box::new(run))
    }

    fn divide(&self, kernel: Divide) -> Run<'_> {
        let products = self.products_of_panel();
        let margins = self.margins(&products);
        let mut found = Divided::default();
        let run = move || {
            found.above.fill(0);
            found.unsure.clear();
            kernel(&self.records, &self.places, &products, &margins, WIDEST, &mut found);
        };
        (Amount::Rows(ROWS * WIDEST), Box::new(run))
    }

    fn divide_finer(&self, kernel: DivideFiner) -> Run<'_> {
        let products = self.products_of_panel();
        let margins = self.margins(&products);
        let (finer, left) = (vec![1; products.len()], vec![1e-5; ROWS]);
        let mut whole = Divided::default();
        (scalar::KERNELS.divide)(&self.records, &self.places, &products, &margins, WIDEST, &mut whole);
        let unsure = whole.unsure.iter().map(|(_, bits)| bits.count_ones() as usize).sum();
        let mut found = Divided::default();
        let run = move || {
            found.above.fill(0);
            found.unsure.clone_from(&whole.unsure);
            kernel(&self.records, &self.places, [&products, &finer], &left, &margins, WIDEST, &mut found);
        };
        (Amount::Rows(unsure), Box::new(run))
    }

    fn row_dots(&self, kernel: RowDots) -> Run<'_> {
        let length = self.dims.next_multiple_of(STEP);
        let queries: Vec<i8> = self.queries.iter().flatten().copied().cycle().take(WIDEST * length).collect();
        let mut sums = [0; WIDEST];
        let rows = self.bytes.len() / length;
        let run = move || {
            sums.fill(0);
            self.bytes.chunks_exact(length).for_each(|row| kernel(row, &queries, AGAIN, &mut sums));
        };
        (Amount::Products(rows * AGAIN.count_ones() as usize * length), Box::new(run))
    }

    /// A function of each row of f32.
    fn of_vectors<'a, T: 'a>(&'a self, kernel: impl Fn(Row<'_>) -> T + 'a) -> Run<'a> {
        let run = move || {
            for row in self.vectors.chunks_exact(self.dims) {
                black_box(kernel(row.into()));
            }
        };
        (Amount::Bytes(size_of_val(&self.vectors[..])), Box::new(run))
    }

    /// A function of each row of f16.
    fn of_halves<'a, T: 'a>(&'a self, kernel: impl Fn(Row<'_>) -> T + 'a) -> Run<'a> {
        let (halves, _) = self.bytes[..2 * VECTORS * self.dims].as_chunks();
        let run = move || {
            for row in halves.chunks_exact(self.dims) {
                black_box(kernel(Row::F16(row)));
            }
        };
        (Amount::Bytes(size_of_val(halves)), Box::new(run))
    }

    /// Of zeros, which stay zeros however often they are transformed, and take as long as other values.
    fn hadamard(&self, kernel: fn(&mut [f32])) -> Run<'_> {
        let length = 1 << self.dims.ilog2();
        let mut values = vec![0.0; VECTORS * length];
        (Amount::Bytes(size_of_val(&values[..])), Box::new(move || values.chunks_exact_mut(length).for_each(kernel)))
    }

    fn quantize(&self, kernel: Quantize) -> Run<'_> {
        let [mut high, mut low] = [(); 2].map(|()| vec![0; self.width]);
        let run = move || {
            for row in self.vectors.chunks_exact(self.dims) {
                black_box(kernel(row, SCALE, &mut high, &mut low));
            }
        };
        (Amount::Bytes(size_of_val(&self.vectors[..])), Box::new(run))
    }

    fn quantize_finer(&self, kernel: QuantizeFiner) -> Run<'_> {
        let mut out = vec![0; self.dims];
        let run = move || {
            for (row, codes) in self.vectors.chunks_exact(self.dims).zip(self.bytes.chunks_exact(self.dims)) {
                black_box(kernel(row, SCALE, codes, &mut out));
            }
        };
        (Amount::Bytes(size_of_val(&self.vectors[..])), Box::new(run))
    }

    /// Groups with half of the components in four bits and a quarter in two, and queries for them.
    fn sketched(&self) -> (Sketched<'_>, Vec<SketchQuery>) {
        let zones = Zones { vectors: [self.dims / 16, self.dims / 64, 0] };
        let groups = &self.bytes[..self.bytes.len() / zones.group() * zones.group()];
        let mut all = self.queries.iter().flatten().copied().cycle();
        let query = |_| SketchQuery { components: all.by_ref().take(2 * self.dims).collect(), ..Default::default() };
        (Sketched { zones, groups }, (0..SIDE).map(query).collect())
    }

    fn sketch(&self, kernel: Sketch) -> Run<'_> {
        let (rows, queries) = self.sketched();
        let [mut upper, mut estimates] = [(); 2].map(|()| vec![0.0; rows.groups.len() / rows.zones.width()]);
        (Amount::Bytes(rows.groups.len()), Box::new(move || kernel(rows, &queries[0], &mut upper, &mut estimates)))
    }

    fn sketch_tile(&self, kernel: SketchedTile) -> Run<'_> {
        let (rows, queries) = self.sketched();
        let count = SIDE * rows.groups.len() / rows.zones.width();
        let [mut upper, mut estimates] = [(); 2].map(|()| vec![0.0; count]);
        let run = move || kernel(rows, &SketchTile::new(queries.iter().collect()), &mut upper, &mut estimates);
        (Amount::Rows(count), Box::new(run))
    }

    fn finish(&self, kernel: Finished) -> Run<'_> {
        let [mut upper, mut estimates] = [(); 2].map(|()| vec![0.0; ROWS]);
        let finish = Finish::Quotient { constant: 0.0, factor: 1.0 };
        (Amount::Rows(ROWS), Box::new(move || kernel(&self.records, finish, &mut upper, &mut estimates)))
    }

    fn reaching(&self, kernel: Reaching) -> Run<'_> {
        let bounds: Vec<f32> = (0..ROWS).map(|row| if row % SURVIVES == 0 { 1.0 } else { 0.0 }).collect();
        let mut left = Vec::new();
        let run = move || {
            left.clear();
            kernel(&bounds, 0.5, &mut left);
        };
        (Amount::Rows(ROWS), Box::new(run))
    }

    fn project(&self, kernel: Project) -> Run<'_> {
        let axes = panels(&self.vectors, self.dims);
        let mut out = vec![0.0; VECTORS * axes.len() / self.dims];
        let run = move || kernel(&axes, &self.vectors, self.dims, &mut out);
        (Amount::Bytes(size_of_val(&self.vectors[..])), Box::new(run))
    }

    fn products_of_nibbles(&self) -> Vec<i32> {
        let mut products = vec![0; ROWS];
        (scalar::KERNELS.dots)(self.plane(), &self.places, &self.packed, &mut products);
        products.iter().map(|product| 16 * product).collect()
    }

    fn products_of_panel(&self) -> Vec<i32> {
        let mut products = vec![0; ROWS * WIDEST];
        (scalar::KERNELS.multiply)(&self.bytes, &self.panel(), &mut products);
        products
    }

    /// A margin that one row in [`SURVIVES`] survives.
    fn margin(&self, products: &[i32]) -> Margin {
        self.margin_of(FIRST, products.iter().copied(), ROWS / SURVIVES)
    }

    /// Margins and converses for the queries of a panel, given its products.
    fn margins(&self, products: &[i32]) -> [Margins; 2] {
        [(1, ROWS / SURVIVES), (-1, ROWS - ROWS / ABOVE)].map(|(sign, survivors)| {
            let lane = |lane| products.iter().skip(lane).step_by(WIDEST).map(move |product| sign * product);
            Margins::new((0..WIDEST).map(|at| self.margin_of(Level::Bytes, lane(at), survivors)))
        })
    }

    /// A margin that so many rows survive.
    fn margin_of(&self, level: Level, products: impl Iterator<Item = i32>, survivors: usize) -> Margin {
        let margin = |(record, product)| Margin::example(0.0).of(&Record::from_bytes(record), level, product);
        let mut margins: Vec<f32> = self.records.iter().zip(products).map(margin).collect();
        margins.sort_by(f32::total_cmp);
        Margin::example(-margins[ROWS - survivors])
    }
}

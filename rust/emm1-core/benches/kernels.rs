//! Every kernel of every instruction set of this processor, on rows of typical lengths and of an odd one.
//!
//! What each kernel is given is in `src/kernel/workloads.rs`. `make microbench ONLY=multiply/avx2` runs some of them, by
//! parts of their names: kernel/set/dims.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use emm1_core::workloads::{Amount, Inputs, Workload};

const DIMS: [usize; 3] = [384, 1024, 333];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    let inputs = DIMS.map(Inputs::new);
    let of_dims = |inputs| Inputs::workloads(inputs).map(|workload| (workload, inputs.dims()));
    let mut all: Vec<_> = inputs.iter().flat_map(of_dims).collect();
    all.sort_by_key(|(workload, _)| workload.kernel); // the sort is stable: sets and lengths keep their order
    for (Workload { kernel, set, amount, mut run }, dims) in all {
        let mut group = criterion.benchmark_group(kernel);
        group.throughput(match amount {
            Amount::Bytes(bytes) => Throughput::Bytes(bytes as u64),
            Amount::Products(count) | Amount::Rows(count) => Throughput::Elements(count as u64),
        });
        group.bench_function(BenchmarkId::new(set, dims), |bencher| bencher.iter(&mut run));
        group.finish();
    }
    criterion.final_summary();
}

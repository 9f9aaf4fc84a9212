//! The service on memory: full operations, from the bytes of a body to those of the reply. Throughput is
//! in operations, so criterion prints operations a second.

use std::cell::{LazyCell, RefCell};
use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use foldhash::fast::RandomState;

mod work;
use work::Service;

type Operation = (&'static str, fn(&mut Service));

const OPERATIONS: &[Operation] = &[
    ("store new content", Service::store_new),
    ("store known content", Service::store_known),
    ("retrieve by id", Service::retrieve_by_id),
    ("retrieve by hash", Service::retrieve_by_hash),
    ("retrieve with metadata", Service::retrieve_whole),
    ("exists", Service::exists),
    ("update", Service::update),
    ("store and delete", Service::store_and_delete),
    ("store child data", Service::child_data),
    ("read child data", Service::child_data_back),
    ("list child data", Service::list_page),
];

/// Those that leave more entries than there were.
const GROWING: &[&str] = &["store new content", "store known content"];

/// Every operation on a service with so many entries, made when it is needed first.
fn operations(c: &mut Criterion, entries: usize) {
    let service = LazyCell::new(|| RefCell::new(Service::new(entries).with_children()));
    let mut group = c.benchmark_group(format!("{entries} entries"));
    group.throughput(Throughput::Elements(1)).sample_size(50);
    for (name, operation) in OPERATIONS {
        group.bench_function(*name, |b| {
            if entries < 10_000 && GROWING.contains(name) {
                return b.iter_custom(|rounds| anew(rounds, entries, *operation));
            }
            let mut service = service.borrow_mut();
            if GROWING.contains(name) {
                return b.iter_custom(|rounds| and_back(rounds, &mut service, *operation));
            }
            b.iter(|| operation(&mut service));
        });
    }
    group.finish();
}

/// As many calls, on services that do not grow beyond twice their entries: the system's pages for what is
/// new would be most of what is measured.
fn anew(calls: u64, entries: usize, operation: fn(&mut Service)) -> Duration {
    let mut spent = Duration::ZERO;
    for calls in chunks(calls, entries as u64) {
        let mut service = Service::new(entries);
        let start = Instant::now();
        (0..calls).for_each(|_| operation(&mut service));
        spent += start.elapsed();
    }
    spent
}

/// As many calls, whose entries are deleted again now and then, for the same reason.
fn and_back(calls: u64, service: &mut Service, operation: fn(&mut Service)) -> Duration {
    let mut spent = Duration::ZERO;
    for calls in chunks(calls, 10_000) {
        let start = Instant::now();
        (0..calls).for_each(|_| operation(service));
        spent += start.elapsed();
        service.delete_last(calls);
    }
    spent
}

fn small(c: &mut Criterion) {
    operations(c, 1_000);
}

fn large(c: &mut Criterion) {
    operations(c, 1_000_000);
}

/// What two threads get done together on one service.
fn threads(c: &mut Criterion) {
    let mut group = c.benchmark_group("2 threads");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for (name, operation) in OPERATIONS {
        group.bench_function(*name, |b| {
            let mut one = Service::new(1_000).with_children();
            let mut other = one.clone();
            other.next += 1_000_000_000;
            b.iter_custom(|rounds| {
                let start = Instant::now();
                thread::scope(|scope| {
                    scope.spawn(|| (0..rounds / 2).for_each(|_| operation(&mut other)));
                    (0..rounds.div_ceil(2)).for_each(|_| operation(&mut one));
                });
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// One more version of a content that has so many.
fn versions(c: &mut Criterion) {
    let mut group = c.benchmark_group("one content");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for versions in [1, 100, 10_000] {
        group.bench_function(format!("store with {versions} versions"), |b| {
            b.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                // So that the number of versions hardly grows while it is measured.
                for batch in chunks(rounds, versions.max(10) / 10) {
                    let mut service = Service::new(1);
                    (1..versions).for_each(|_| service.store_known());
                    let start = Instant::now();
                    (0..batch).for_each(|_| service.store_known());
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

/// Values of as many bytes as an entry has, found by its id in the barest map: what memory itself takes for
/// being larger than the processor's caches, in the same run.
fn bare_map(c: &mut Criterion) {
    const ENTRY: usize = 2_900;
    let mut group = c.benchmark_group("bare map");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for entries in [1_000, 1_000_000] {
        let id = |at: usize| format!("{at:036}");
        let ids = LazyCell::new(|| work::shuffled(entries).map(id).collect::<Vec<_>>());
        let values = LazyCell::new(|| {
            let values = (0..entries).map(|at| (id(at), vec![1; ENTRY].into_boxed_slice()));
            values.collect::<HashMap<_, Box<[u8]>, RandomState>>()
        });
        let mut ids = LazyCell::new(|| ids.iter().cycle());
        group.bench_function(format!("value of {entries}"), |b| {
            // Not while the time is taken.
            let (values, ids) = (LazyCell::force(&values), LazyCell::force_mut(&mut ids));
            b.iter(|| values[ids.next().expect("endless")][0]);
        });
    }
    group.finish();
}

fn chunks(total: u64, most: u64) -> impl Iterator<Item = u64> {
    (0..total.div_ceil(most)).map(move |chunk| most.min(total - chunk * most))
}

criterion_group!(benches, small, threads, versions, large, bare_map);
criterion_main!(benches);

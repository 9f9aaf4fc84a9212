//! What a write costs in a large archive compared with a small one: an entry of five members stored and
//! the oldest one deleted, so that the archive keeps its size, checkpoints included. The bound of the
//! ratio is held: the run fails beyond it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use larder::key::{Key, Namespace, RelPath};
use larder::storage::blocking::BlockingStorage;
use larder::storage::zip::Zip;
use larder::storage::{Batch, Durability};
use tempfile::TempDir;

/// Members in the archives that are compared.
const SIZES: [usize; 2] = [100, 10_000];
/// Members of an entry, as the service writes them: content, two files beside it, two references.
const PATHS: [&str; 5] = ["data", "data-config", "data-metadata", "refs-by-hash", "refs-by-id"];
/// The most that a write may cost in the large archive, as a multiple of the same in the small one.
const MOST: f64 = 1.5;

/// An archive that holds so many members, whatever is written.
struct Steady {
    store: Zip,
    namespace: Namespace,
    held: VecDeque<usize>,
    next: usize,
    // Behind the store, which closes into it.
    _home: TempDir,
}

impl Steady {
    fn new(members: usize) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        // Syncs cost the same whatever the size, and would hide what does not.
        let store = Zip::open(home.path().join("cache.zip"), Durability::Relaxed);
        let mut steady = Self {
            store: store.expect("an archive"),
            namespace: Namespace::clean("bench").expect("a namespace"),
            held: VecDeque::new(),
            next: 0,
            _home: home,
        };
        while steady.held.len() * PATHS.len() < members {
            steady.put();
        }
        steady.store.checkpoint().expect("a checkpoint");
        steady
    }

    fn keys(&self, entry: usize) -> impl Iterator<Item = Key> {
        PATHS.iter().map(move |folder| {
            let path = format!("{folder}/{:02x}/{entry:08}.json", entry % 256);
            self.namespace.key(RelPath::parse(&path).expect("a path")).expect("a key")
        })
    }

    fn put(&mut self) {
        let entry = self.next;
        let mut batch = Batch::new(&self.namespace);
        for (nth, key) in self.keys(entry).enumerate() {
            let text =
                format!("{{\"entry\": {entry}, \"text\": \"{}\"}}", "words ".repeat(30 + nth));
            batch.put(key, text);
        }
        self.store.apply(batch).expect("a write");
        self.held.push_back(entry);
        self.next += 1;
    }

    /// One entry more, and the oldest one less.
    fn turn(&mut self) {
        self.put();
        let oldest = self.held.pop_front().expect("an entry");
        let mut batch = Batch::new(&self.namespace);
        self.keys(oldest).for_each(|key| batch.delete(key));
        self.store.apply(batch).expect("a removal");
    }

    fn turns(&mut self, count: u32) -> Duration {
        let started = Instant::now();
        (0..count).for_each(|_| self.turn());
        started.elapsed()
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("zip: an entry stored and one deleted");
    group.throughput(Throughput::Elements(1));
    for members in SIZES {
        let mut steady = Steady::new(members);
        group.bench_function(format!("{members} members"), |b| b.iter(|| steady.turn()));
    }
    group.finish();
    criterion.final_summary();
    if std::env::args().any(|arg| arg == "--bench") {
        hold_ratio();
    }
}

/// In turns, so that what else the machine does meets both alike; the median of the rounds.
#[expect(clippy::print_stdout, reason = "the figure of a benchmark")]
fn hold_ratio() {
    const ROUNDS: usize = 15;
    const TURNS: u32 = 1_000;
    let [mut small, mut large] = SIZES.map(Steady::new);
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let cost = small.turns(TURNS);
            large.turns(TURNS).as_secs_f64() / cost.as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let [least, median, greatest] = [ratios[0], ratios[ROUNDS / 2], ratios[ROUNDS - 1]];
    println!(
        "{} members against {}: {median:.2} times the cost ({least:.2} to {greatest:.2} in {ROUNDS} \
         rounds of {TURNS}); at most {MOST} is let through",
        SIZES[1], SIZES[0]
    );
    assert!(median <= MOST, "the cost of a write grows with the archive");
}

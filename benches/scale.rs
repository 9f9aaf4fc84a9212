//! What size costs: every operation with many entries next to the same with a thousand, in turns; how long
//! the binary takes from its start to its first answer; and how much memory a body of 100 MB takes.
//!
//! `--entries N` is what many is (100,000 unless told), `--store disk` takes one store. The stores are
//! filled with relaxed durability, and measured with it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::cache::ident::CacheId;
use larder::cache::retrieve::Lookup;
use larder::storage::blocking::Blocking;
use larder::storage::disk::Disk;
use larder::storage::memory::Memory;
use larder::storage::sqlite::Sqlite;
use larder::storage::{Durability, Storage};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

mod entries;
#[expect(dead_code, reason = "the rows are others")]
mod report;
#[expect(dead_code, reason = "load is measured elsewhere")]
mod server;
#[expect(dead_code, reason = "only its bodies and its allocator are used")]
mod work;

use entries::Entries;
use report::{argument, median, say, write};
use server::Server;

/// What stores are compared with.
const FEW: u64 = 1_000;
/// How many are stored at once while a store is filled.
const AT_ONCE: u64 = 64;
const TURNS: usize = 11;
const TURN: Duration = Duration::from_millis(40);
const LARGE: usize = 100 << 20;

/// A store with entries, and the ids of a thousand of them.
struct Filled {
    entries: Arc<Entries>,
    ids: Vec<CacheId>,
    next: u64,
}

impl Filled {
    async fn new(storage: Arc<dyn Storage>, count: u64) -> Self {
        let entries = Arc::new(Entries::new(storage));
        let mut ids = Vec::new();
        for start in (0..count).step_by(AT_ONCE as usize) {
            let mut group = JoinSet::new();
            for number in start..(start + AT_ONCE).min(count) {
                let entries = Arc::clone(&entries);
                group.spawn(async move { entries.store(number).await });
            }
            let stored = group.join_all().await;
            ids.extend(stored.into_iter().take((FEW * AT_ONCE / count).max(1) as usize));
        }
        Self { entries, ids, next: count }
    }

    async fn run(&mut self, operation: &str) {
        self.next += 1;
        let Entries { cache, namespace } = &*self.entries;
        let id = &self.ids[(self.next.wrapping_mul(7_919) % self.ids.len() as u64) as usize];
        let there = match operation {
            "store" => !self.entries.store(self.next).await.to_string().is_empty(),
            "retrieve" => cache.content(namespace, Lookup::Id(id)).await.expect("read").is_some(),
            _ => cache.exists(namespace, Lookup::Id(id)).await.expect("read"),
        };
        assert!(there, "{operation} found nothing");
    }

    /// Microseconds a call.
    async fn turn(&mut self, operation: &str, calls: u64) -> f64 {
        let start = Instant::now();
        for _ in 0..calls {
            self.run(operation).await;
        }
        start.elapsed().as_secs_f64() * 1e6 / calls as f64
    }
}

async fn compare(name: &str, few: &mut Filled, many: &mut Filled, count: u64) -> Vec<Value> {
    let mut rows = Vec::new();
    for operation in ["store", "retrieve", "exists"] {
        let once = few.turn(operation, 20).await;
        many.turn(operation, 20).await;
        let calls = ((TURN.as_secs_f64() * 1e6 / once) as u64).max(20);
        let (mut small, mut large, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let both = (few.turn(operation, calls).await, many.turn(operation, calls).await);
            small.push(both.0);
            large.push(both.1);
            ratios.push(both.1 / both.0);
        }
        let (small, large, ratio) = (median(small), median(large), median(ratios));
        say(&format!(
            "{name:<8}{operation:<10}{small:>9.1} µs with {FEW}, {large:>9.1} µs with {count}, ratio {ratio:.2}"
        ));
        rows.push(json!({
            "name": name, "operation": operation, "entries": count,
            "few_micros": (small * 10.0).round() / 10.0, "many_micros": (large * 10.0).round() / 10.0,
            "ratio": (ratio * 100.0).round() / 100.0,
        }));
    }
    rows
}

/// Milliseconds from the start of the binary to its first answer: the content of an entry.
fn first_answer(name: &'static str, flags: &[&str], folder: &Path, id: &CacheId) -> f64 {
    let times = (0..3).map(|_| {
        let start = Instant::now();
        let server = Server::start(name, server::larder(flags), folder);
        server.ask("GET", &format!("/bench/retrieve/{id}/json"), "application/json", b"");
        start.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}

/// The most memory the binary had while it stored a large body and gave it back, over the body's size.
fn large_body(name: &'static str, flags: &[&str], folder: &Path) -> Value {
    let flags = [flags, &["--max-body-bytes", "200000000"]].concat();
    let server = Server::start(name, server::larder(&flags), folder);
    let body: Vec<u8> =
        (0..LARGE as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let before = server.memory("VmRSS");
    let peak = || (server.memory("VmHWM") - before) as f64 / LARGE as f64;
    let stored =
        server.ask("POST", "/bench/direct/store/binary", "application/octet-stream", &body);
    let stored: Value = serde_json::from_slice(&stored).expect("JSON");
    let storing = peak();
    let id = stored["cache_id"].as_str().expect("an id");
    let back = server.ask("GET", &format!("/bench/retrieve/{id}/binary"), "text/plain", b"");
    assert!(back == body, "another body came back");
    let reading = peak();
    say(&format!(
        "{name:<8}a body of 100 MiB: at most {storing:.2} times its size while it was stored, {reading:.2} after it was read"
    ));
    json!({"name": name, "operation": "large", "storing": storing, "reading": reading})
}

fn main() {
    let count = argument("--entries").and_then(|entries| entries.parse().ok());
    let count: u64 = count.unwrap_or(100_000);
    let only = argument("--store");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let runtime = Runtime::new().expect("threads");
    let mut rows = Vec::new();
    for name in ["memory", "sqlite", "disk"] {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let at = |size: &str| folder.path().join(format!("{name}-{size}"));
        let open = |size: &str| -> Arc<dyn Storage> {
            match name {
                "memory" => Arc::new(Memory::new()),
                "sqlite" => Arc::new(Blocking::new(
                    Sqlite::open(at(size), Durability::Relaxed).expect("opened"),
                )),
                _ => Arc::new(Blocking::new(
                    Disk::open(at(size), Durability::Relaxed).expect("opened"),
                )),
            }
        };
        let id = runtime.block_on(async {
            let mut few = Filled::new(open("few"), FEW).await;
            let start = Instant::now();
            let mut many = Filled::new(open("many"), count).await;
            let each = start.elapsed().as_secs_f64() * 1e6 / count as f64;
            say(&format!("{name:<8}filled with {count} entries, {each:.0} µs for each"));
            rows.extend(compare(name, &mut few, &mut many, count).await);
            many.ids.swap_remove(0)
        });
        let (place, large) = (at("many"), at("large"));
        let flags = |place: &Path| -> Vec<String> {
            let place = place.to_string_lossy().into_owned();
            let words: &[&str] = match name {
                "memory" => &["--storage-mode", "memory"],
                "sqlite" => &["--storage-mode", "sqlite", "--sqlite-path", &place],
                _ => &["--storage-mode", "local_disk", "--local-disk-path", &place],
            };
            words.iter().map(|word| (*word).to_owned()).collect()
        };
        if name != "memory" {
            let flags = flags(&place);
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            let millis = first_answer(name, &flags, folder.path(), &id);
            say(&format!("{name:<8}first answer {millis:.1} ms after the start"));
            rows.push(
                json!({"name": name, "operation": "start", "entries": count, "millis": millis}),
            );
        }
        let flags = flags(&large);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        rows.push(large_body(name, &flags, folder.path()));
    }
    write(&rows);
}

//! Every store next to the ceiling of its medium: the same bytes written and read by the barest code
//! that has the same durability, in turns with the store, on the same disk, in the same run.
//!
//! What counts is the ratio of the two: operations a second of the store over those of the ceiling. The
//! stores are called without the hop to another thread, which is the same for all of them. The bucket is
//! on a server in this process, or on that of `LARDER_TEST_S3_ENDPOINT`.
//!
//! `--json FILE` writes the figures, `--only WORD` takes the rows that have the word in them.

#![expect(clippy::disallowed_methods, reason = "which server to use comes from outside")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use larder::key::{Key, Namespace, RelPath};
use larder::storage::blocking::BlockingStorage;
use larder::storage::disk::Disk;
use larder::storage::memory::Memory;
use larder::storage::s3::{Credentials, S3, Settings};
use larder::storage::sqlite::Sqlite;
use larder::storage::zip::Zip;
use larder::storage::{Batch, Depth, Durability, List};
use tokio::runtime::Runtime;

mod ceilings;
#[expect(dead_code, unreachable_pub, reason = "nothing goes wrong here")]
#[path = "../tests/support/fake_s3.rs"]
mod fake_s3;
mod report;
#[expect(dead_code, reason = "only its bodies and its allocator are used")]
mod work;

use ceilings::{Archive, Ceiling, Files, Map, Objects, Table, Waited};
use fake_s3::FakeS3;
use report::{Report, Row, median};

/// Turns that the store and its ceiling take.
const TURNS: usize = 11;
/// How long a turn of one of them takes, about.
const TURN: Duration = Duration::from_millis(12);
/// Values that are there before anything is measured, in folders of a page each.
const STOCK: u64 = 1_000;
/// Keys of a page that is listed.
pub(crate) const PAGE: u64 = 100;
/// Values of a batch, in two steps: what the service writes for a new entry.
const BATCH: usize = 5;
const WRITERS: usize = 32;

/// The path of a value: as deep as the service's, in folders of [`PAGE`].
fn path(family: &str, number: u64) -> String {
    format!("data/{family}/{:04}/{number:036}.json", number / PAGE)
}

fn namespace() -> Namespace {
    Namespace::clean("bench").expect("a name")
}

fn key(path: &str) -> Key {
    namespace().key(RelPath::parse(path).expect("a path")).expect("a key")
}

/// A store as the measured code calls it.
struct Ours<'a> {
    store: &'a dyn BlockingStorage,
}

impl Ceiling for Ours<'_> {
    fn put(&mut self, path: &str, value: &[u8]) {
        put(self.store, path, value);
    }

    fn batch(&mut self, paths: &[String], value: &[u8]) {
        let mut batch = Batch::new(&namespace());
        for (index, path) in paths.iter().enumerate() {
            if index == 2 {
                batch.then();
            }
            batch.put(key(path), value.to_vec());
        }
        self.store.apply(batch).expect("written");
    }

    fn get(&mut self, path: &str) -> usize {
        self.store.get(&key(path)).expect("read").expect("there").bytes.len()
    }

    fn list(&mut self, folder: &str) -> usize {
        let prefix = namespace().under(RelPath::parse(folder).expect("a path"));
        let limit = usize::try_from(PAGE).ok().and_then(std::num::NonZeroUsize::new);
        let limit = limit.expect("not zero");
        let query = List { prefix, depth: Depth::Children, after: None, limit };
        self.store.list(query).expect("listed").entries.len()
    }
}

fn put(store: &dyn BlockingStorage, path: &str, value: &[u8]) {
    let mut batch = Batch::new(&namespace());
    batch.put(key(path), value.to_vec());
    store.apply(batch).expect("written");
}

/// What is done to both sides, and the name it goes by. The number is another one in every call.
type Operation = (&'static str, fn(&mut dyn Ceiling, u64));

const OPERATIONS: &[Operation] = &[
    ("get", |side, number| {
        let stock = number.wrapping_mul(7_919) % STOCK;
        assert_eq!(side.get(&path("stock", stock)), work::BODY);
    }),
    ("put", |side, number| side.put(&path("put", number), &work::body(number))),
    ("batch", |side, number| {
        let paths: [String; BATCH] =
            std::array::from_fn(|part| path(["a", "b", "c", "d", "e"][part], number));
        side.batch(&paths, &work::body(number)[..640]);
    }),
    ("list", |side, number| {
        let folder = format!("data/stock/{:04}", number % (STOCK / PAGE));
        assert_eq!(side.list(&folder), PAGE as usize);
    }),
];

/// One side, and how far it has counted.
struct Turns<'a> {
    side: &'a mut dyn Ceiling,
    next: u64,
}

impl Turns<'_> {
    /// Operations a second.
    fn take(&mut self, operation: fn(&mut dyn Ceiling, u64), calls: u64) -> f64 {
        let start = Instant::now();
        for number in self.next..self.next + calls {
            operation(self.side, number);
        }
        self.next += calls;
        calls as f64 / start.elapsed().as_secs_f64()
    }
}

fn compare(
    report: &mut Report,
    name: &'static str,
    store: &dyn BlockingStorage,
    ceiling: &mut dyn Ceiling,
) {
    let mut ours = Ours { store };
    for number in 0..STOCK {
        ours.put(&path("stock", number), &work::body(number));
        ceiling.put(&path("stock", number), &work::body(number));
    }
    for (word, operation) in OPERATIONS {
        if !report.wants(name, word) {
            continue;
        }
        let mut sides =
            [Turns { side: &mut ours, next: 0 }, Turns { side: &mut *ceiling, next: 0 }];
        // Warm, and how many calls a turn has.
        let rate = sides.each_mut().map(|side| side.take(*operation, 10))[1];
        let calls = ((rate * TURN.as_secs_f64()) as u64).max(10);
        let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
        for turn in 0..TURNS {
            let mut both = [0.0; 2];
            for side in [turn % 2, 1 - turn % 2] {
                both[side] = sides[side].take(*operation, calls);
                rates[side].push(both[side]);
            }
            ratios.push(both[0] / both[1]);
        }
        let [ours, ceiling] = rates.map(median);
        report.add(Row { name, operation: word, ours, ceiling, ratio: median(ratios) });
    }
}

/// Puts a second by so many writers at once.
fn crowd(store: &dyn BlockingStorage, writers: usize, next: &AtomicU64) -> f64 {
    let (start, end) = (Instant::now(), Duration::from_millis(150));
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                while start.elapsed() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    put(store, &path("crowd", number), &work::body(number));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.into_inner() as f64 / start.elapsed().as_secs_f64()
}

/// [`WRITERS`] writers at once next to one: what is gained by bringing their batches to disk together.
fn group_commit(report: &mut Report, name: &'static str, store: &dyn BlockingStorage) {
    const WORD: &str = "32 writers, 1";
    if !report.wants(name, WORD) {
        return;
    }
    let next = AtomicU64::new(0);
    let (mut many, mut one) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        many.push(crowd(store, WRITERS, &next));
        one.push(crowd(store, 1, &next));
    }
    let ratio = median(many.iter().zip(&one).map(|(many, one)| many / one).collect());
    let (ours, ceiling) = (median(many), median(one));
    report.add(Row { name, operation: WORD, ours, ceiling, ratio });
}

/// Puts into an archive of 10,000 members next to one of 100.
fn archives(report: &mut Report, folder: &Path) {
    const WORD: &str = "put at 10,000, at 100";
    if !report.wants("zip", WORD) {
        return;
    }
    let open = |members: u64| {
        let store = Zip::open(folder.join(format!("{members}.zip")), Durability::Relaxed);
        let store = store.expect("opened");
        for number in 0..members {
            put(&store, &path("stock", number), &work::body(number));
        }
        store.checkpoint().expect("written");
        store
    };
    let (few, many) = (open(100), open(10_000));
    let next = AtomicU64::new(0);
    let (mut slow, mut fast) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        slow.push(crowd(&many, 1, &next));
        fast.push(crowd(&few, 1, &next));
    }
    let ratio = median(slow.iter().zip(&fast).map(|(slow, fast)| slow / fast).collect());
    let (ours, ceiling) = (median(slow), median(fast));
    report.add(Row { name: "zip, relaxed", operation: WORD, ours, ceiling, ratio });
}

/// The bucket, next to the SDK's own calls through a client that is made like the store's.
fn bucket(report: &mut Report) {
    const NAME: &str = "larder-bench";
    let runtime = Arc::new(Runtime::new().expect("threads"));
    // Its own threads, as a server's are.
    let servers = Runtime::new().expect("threads");
    let server = servers.block_on(FakeS3::start(true));
    let url = std::env::var("LARDER_TEST_S3_ENDPOINT").unwrap_or_else(|_| server.url());
    let credentials = Credentials::new("test", "test", None, None, "benches");
    let settings = Settings {
        endpoint_url: Some(url.clone()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(credentials.clone()),
        key_prefix: format!("store-{}", std::process::id()),
        ..Settings::new(NAME)
    };
    let store = runtime.block_on(S3::open(&settings)).expect("opened");
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_sdk_s3::Config::builder()
        .http_client(http)
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .force_path_style(true)
        .endpoint_url(url)
        .credentials_provider(credentials);
    let client = Client::from_conf(config.build());
    let mut objects = Objects { client, bucket: NAME, runtime: Arc::clone(&runtime) };
    compare(report, "s3", &Waited { store, runtime: Some(runtime) }, &mut objects);
}

fn main() {
    let mut report = Report::new("store", "ceiling");
    // On the disk of the build, since folders for temporary files are often in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let at = |name: &str| folder.path().join(name);

    let memory = Waited { store: Memory::new(), runtime: None };
    compare(&mut report, "memory", &memory, &mut Map::default());
    for (durability, names) in [
        (Durability::Full, ["disk", "sqlite", "zip"]),
        (Durability::Relaxed, ["disk, relaxed", "sqlite, relaxed", "zip, relaxed"]),
    ] {
        let [disk, sqlite, zip] = names;
        if report.wants_any(disk) {
            let store = Disk::open(at(disk), durability).expect("opened");
            let mut files = Files::new(&at(&format!("raw {disk}")), durability);
            compare(&mut report, disk, &store, &mut files);
            group_commit(&mut report, disk, &store);
        }
        if report.wants_any(sqlite) {
            let store = Sqlite::open(at(sqlite), durability).expect("opened");
            let mut table = Table::new(&at(&format!("raw {sqlite}")), durability);
            compare(&mut report, sqlite, &store, &mut table);
            group_commit(&mut report, sqlite, &store);
        }
        if report.wants_any(zip) {
            let store = Zip::open(at(zip), durability).expect("opened");
            let mut archive = Archive::new(&at(&format!("raw {zip}")), durability);
            compare(&mut report, zip, &store, &mut archive);
            group_commit(&mut report, zip, &store);
        }
    }
    archives(&mut report, folder.path());
    if report.wants_any("s3") {
        bucket(&mut report);
    }
    report.finish();
}

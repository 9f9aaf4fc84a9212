//! Copies between stores of every kind, through the library and through the binary.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use larder::cache::Settings as CacheSettings;
use larder::copy::{self, Options, Summary};
use larder::http::Settings;
use larder::key::{Key, Namespace, RelPath};
use larder::storage::memory::Memory;
use larder::storage::walk::{self, Walk};
use larder::storage::{Batch, Error, Expect, List, Object, Page, Promises, Result, Stat, Storage};
use rstest::rstest;
use tempfile::tempdir;

use crate::command::larder;
use crate::harness::{self, OpenStore, client_with};
use crate::old_stores::{self, Unpack};

/// Every kind of store that lasts, with the address it has in a folder.
pub const STORES: [(OpenStore, &str, &str); 3] = [
    (harness::local_disk, "disk", "tree"),
    (harness::sqlite, "sqlite", "cache.sqlite"),
    (harness::zip, "zip", "cache.zip"),
];

/// Everything a store holds.
pub async fn everything(storage: &dyn Storage) -> Vec<(Key, Vec<u8>)> {
    let mut all = Vec::new();
    for namespace in walk::namespaces(storage).await.expect("namespaces") {
        let mut walk = Walk::namespace(storage, &namespace);
        while let Some(entry) = walk.next().await.expect("a page") {
            let object = storage.get(&entry.key).await.expect("an answer").expect("listed");
            all.push((entry.key, object.bytes.to_vec()));
        }
    }
    all.sort();
    all
}

pub fn key(namespace: &str, path: &str) -> Key {
    let namespace = Namespace::clean(namespace).expect("a namespace");
    namespace.key(RelPath::parse(path).expect("a path")).expect("a key")
}

pub async fn put(storage: &dyn Storage, key: &Key, value: &str) {
    let mut batch = Batch::new(&key.namespace());
    batch.put(key.clone(), value.to_owned());
    storage.apply(batch).await.expect("written");
}

/// Fills a store through the service, and with keys that are hard on stores.
async fn fill(storage: &Arc<dyn Storage>) {
    let client = client_with(Arc::clone(storage), CacheSettings::default(), Settings::default());
    for (namespace, strategy) in
        [("team", "direct"), ("team-b", "temporal_versioned"), ("%20", "direct")]
    {
        for nth in 0..7 {
            let path = format!("/{namespace}/{strategy}/store/json");
            let stored = client.post_json(&path, &format!(r#"{{"n":{}}}"#, nth % 3)).await;
            assert_eq!(stored.status, 200, "{}", stored.text());
            let id = stored.json()["cache_id"].as_str().expect("an id").to_owned();
            let child = format!("/{namespace}/cache/{id}/data/store/binary/some/child");
            assert_eq!(client.post_bytes(&child, &[0, 159, 146, 150]).await.status, 200);
        }
    }
    for (namespace, path) in [
        ("team", "data/key-based/a"),
        ("team", "data/key-based/a/b.json"),
        ("team", "data/key-based/a-b.json"),
        ("team", "data/key-based/Ünï code\\x %2e.json"),
        ("team", "elsewhere/altogether"),
        ("data", "data/x/y"),
        ("refs", "refs/by-id/z"),
        ("", "data/q"),
    ] {
        put(&**storage, &key(namespace, path), path).await;
    }
    put(&**storage, &key("team", "data/direct/empty"), "").await;
}

async fn copied(from: &dyn Storage, to: &dyn Storage, options: &Options) -> Summary {
    copy::run(from, to, options, &mut |_, _| {}).await.expect("copied")
}

#[tokio::test]
async fn a_copy_there_and_back_is_lossless_for_every_pair() {
    let memory: (OpenStore, &str, &str) = (harness::memory, "memory", "");
    let all: Vec<_> = [memory].into_iter().chain(STORES).collect();
    for (from, from_name, _) in &all {
        for (to, to_name, _) in &all {
            let homes = [tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap()];
            let a = from(homes[0].path());
            let b = to(homes[1].path());
            let back = from(homes[2].path());
            fill(&a).await;
            let before = everything(&*a).await;
            let there = copied(&*a, &*b, &Options::default()).await;
            let (count, pair) = (before.len() as u64, format!("{from_name} → {to_name}"));
            assert!(there.complete(&Options::default()), "{pair}: {there:?}");
            assert_eq!(
                (there.objects, there.copied, there.verified),
                (count, count, count),
                "{pair}"
            );
            assert_eq!(everything(&*b).await, before, "{pair}");
            copied(&*b, &*back, &Options::default()).await;
            assert_eq!(everything(&*back).await, before, "{pair} and back");
            // Again: all of it is there.
            let again = copied(&*a, &*b, &Options::default()).await;
            assert_eq!((again.copied, again.skipped, again.verified), (0, count, count), "{pair}");
        }
    }
}

#[rstest]
#[case::local_disk(old_stores::unpack_tree, harness::local_disk)]
#[case::sqlite(old_stores::copy_database, harness::sqlite)]
#[case::zip(old_stores::copy_archive, harness::zip)]
#[tokio::test]
async fn a_store_of_the_python_service_is_copied_whole(
    #[case] unpack: Unpack,
    #[case] open: OpenStore,
) {
    let home = tempdir().unwrap();
    unpack(home.path());
    let (source, target) = (open(home.path()), Memory::new());
    let summary = copied(&*source, &target, &Options::default()).await;
    assert!(summary.complete(&Options::default()), "{summary:?}");
    assert_eq!(everything(&target).await, everything(&*source).await);
    assert!(summary.objects > 100, "{summary:?}");
}

#[tokio::test]
async fn only_the_namespaces_named_are_copied() {
    let (source, target): (Arc<dyn Storage>, _) = (Arc::new(Memory::new()), Memory::new());
    fill(&source).await;
    let namespaces = vec![Namespace::clean("team").unwrap(), Namespace::root()];
    let options = Options { namespaces: namespaces.clone(), ..Options::default() };
    let summary = copied(&*source, &target, &options).await;
    assert!(summary.complete(&options));
    let mut wanted = everything(&*source).await;
    wanted.retain(|(key, _)| namespaces.contains(&key.namespace()));
    assert_eq!(everything(&target).await, wanted);
}

/// Another value under a key is refused before anything is written, and replaced when told to.
#[tokio::test]
async fn conflicts_are_refused_or_replaced() {
    let (source, target): (Arc<dyn Storage>, _) = (Arc::new(Memory::new()), Memory::new());
    fill(&source).await;
    let taken = key("team", "data/key-based/a/b.json");
    put(&target, &taken, "mine").await;
    put(&target, &key("mine", "alone"), "mine").await;
    let before = everything(&target).await;

    let dry = Options { dry_run: true, ..Options::default() };
    let summary = copied(&*source, &target, &dry).await;
    assert_eq!((summary.conflicts.count, summary.copied), (1, 0));
    let summary = copied(&*source, &target, &Options::default()).await;
    assert_eq!(summary.conflicts.first, [taken.to_string()]);
    assert!(!summary.complete(&Options::default()));
    assert_eq!(everything(&target).await, before, "nothing was written");

    let overwrite = Options { overwrite: true, ..Options::default() };
    let summary = copied(&*source, &target, &overwrite).await;
    assert!(summary.complete(&overwrite), "{summary:?}");
    assert_eq!((summary.replaced, summary.copied), (1, summary.objects));
    let mut wanted = everything(&*source).await;
    wanted.push((key("mine", "alone"), b"mine".to_vec()));
    wanted.sort();
    assert_eq!(everything(&target).await, wanted);
}

type Meddle = Box<dyn Fn(usize) -> Result<Option<Batch>> + Send + Sync>;

/// A store to which something happens just before its nth read or write.
struct Meddled {
    inner: Arc<dyn Storage>,
    calls: AtomicUsize,
    meddle: Meddle,
}

impl std::fmt::Debug for Meddled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddled")
    }
}

impl Meddled {
    fn over(inner: &Arc<dyn Storage>, meddle: Meddle) -> Self {
        Self { inner: Arc::clone(inner), calls: AtomicUsize::new(0), meddle }
    }

    async fn call(&self) -> Result<()> {
        let nth = self.calls.fetch_add(1, Ordering::SeqCst);
        match (self.meddle)(nth)? {
            Some(batch) => self.inner.apply(batch).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Storage for Meddled {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.call().await?;
        self.inner.get(key).await
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.inner.stat(key).await
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        self.call().await?;
        self.inner.apply(batch).await
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.inner.list(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.inner.namespaces().await
    }
}

/// No reference of a store points at nothing.
async fn no_reference_dangles(storage: &Arc<dyn Storage>) {
    let client = client_with(Arc::clone(storage), CacheSettings::default(), Settings::default());
    for namespace in ["team", "team-b", "%20"] {
        for (list, route) in [("file-ids", "retrieve"), ("file-hashes", "retrieve/hash")] {
            let names = client.get(&format!("/{namespace}/{list}")).await.json();
            for name in names.as_array().expect("names") {
                let name = name.as_str().expect("a name");
                let path = format!("/{namespace}/{route}/{name}/json");
                assert_eq!(client.get(&path).await.status, 200, "{path}");
            }
        }
    }
}

/// A copy cut off at any of its calls leaves no reference that points at nothing, and is continued.
#[tokio::test]
async fn a_copy_that_was_cut_off_goes_on() {
    let source: Arc<dyn Storage> = Arc::new(Memory::new());
    fill(&source).await;
    let wanted = everything(&*source).await;
    let mut cuts = 0;
    for cut in (0..24).chain((24..).step_by(41)) {
        let target: Arc<dyn Storage> = Arc::new(Memory::new());
        let cut_off = move |nth| match nth < cut {
            true => Ok(None),
            false => Err(Error::Other { backend: "cut", source: "cut off".into() }),
        };
        let failing = Meddled::over(&target, Box::new(cut_off));
        if copy::run(&*source, &failing, &Options::default(), &mut |_, _| {}).await.is_ok() {
            break;
        }
        cuts += 1;
        no_reference_dangles(&target).await;
        let partly = everything(&*target).await.len() as u64;
        let summary = copied(&*source, &*target, &Options::default()).await;
        assert!(summary.complete(&Options::default()));
        assert_eq!(summary.skipped, partly, "cut at {cut}");
        assert_eq!(everything(&*target).await, wanted);
    }
    assert!(cuts > 10, "cut off {cuts} times");
}

/// A change of the source at any moment of the copy ends in a copy of it as it was at one moment, or
/// is reported; what is there never dangles.
#[tokio::test]
async fn a_source_that_changes_is_never_half_copied_in_silence() {
    let filled: Arc<dyn Storage> = Arc::new(Memory::new());
    fill(&filled).await;
    let before = everything(&*filled).await;
    let (mut reported, mut whole) = (0, 0);
    for at in (0..1000).step_by(7) {
        let source: Arc<dyn Storage> = Arc::new(Memory::new());
        copied(&*filled, &*source, &Options::default()).await;
        let change = move |nth| {
            let changed = key("team", "data/key-based/a/b.json");
            let mut batch = Batch::new(&changed.namespace());
            batch.put(changed, "changed");
            batch.put_if(key("team", "data/direct/aa/new"), "new", Expect::Absent);
            Ok((nth == at).then_some(batch))
        };
        let meddled = Meddled::over(&source, Box::new(change));
        let target: Arc<dyn Storage> = Arc::new(Memory::new());
        let summary = copied(&meddled, &*target, &Options::default()).await;
        no_reference_dangles(&target).await;
        let (now, after) = (everything(&*target).await, everything(&*source).await);
        if summary.complete(&Options::default()) {
            assert!(now == before || now == after, "a change at call {at} was not noticed");
            whole += 1;
        } else {
            assert!(summary.source_changed || summary.differing.count > 0, "{summary:?}");
            reported += 1;
        }
        // When it is at rest, the copy is made whole.
        let overwrite = Options { overwrite: true, ..Options::default() };
        assert!(copied(&*source, &*target, &overwrite).await.complete(&overwrite));
        assert_eq!(everything(&*target).await, after);
        if meddled.calls.load(Ordering::SeqCst) < at {
            break;
        }
    }
    assert!(reported > 5 && whole > 5, "{reported} reported, {whole} whole");
}

/// The address of a store in a folder.
fn address(kind: &str, home: &Path, name: &str) -> String {
    format!("{kind}:{}", home.join(name).display())
}

/// The binary copies, says what it did in JSON, and ends with a status that tells.
#[tokio::test]
async fn the_command_copies_between_stores() {
    for (open, kind, name) in STORES {
        let home = tempdir().unwrap();
        let (from, to) = (address(kind, home.path(), name), address("sqlite", home.path(), "b.db"));
        let wanted = {
            let place =
                if kind == "disk" { home.path().join(name) } else { home.path().to_owned() };
            let source = open(&place);
            fill(&source).await;
            everything(&*source).await
        };
        let run = |more: &[&str]| {
            let output = larder()
                .args(["copy", "--json", "--from", &from, "--to", &to])
                .args(more)
                .output()
                .expect("the binary runs");
            let said = String::from_utf8(output.stdout).expect("text");
            let errors = String::from_utf8(output.stderr).expect("text");
            let json = serde_json::from_str::<serde_json::Value>(&said).unwrap_or_default();
            (output.status.code(), json, errors)
        };
        let (status, said, _) = run(&["--dry-run"]);
        assert_eq!((status, &said["missing"]), (Some(0), &wanted.len().into()), "{said}");
        assert!(!home.path().join("b.db").try_exists().expect("a look"), "a look makes no store");
        let (status, said, errors) = run(&[]);
        assert_eq!(status, Some(0), "{said} {errors}");
        assert_eq!(said["copied"], wanted.len());
        assert_eq!((&said["complete"], &said["verified"]), (&true.into(), &wanted.len().into()));
        let (status, said, _) = run(&["--namespace", "team", "--dry-run"]);
        assert_eq!((status, &said["missing"]), (Some(0), &0.into()), "{said}");

        let target = harness::sqlite_at(&home.path().join("b.db"));
        assert_eq!(everything(&*target).await, wanted);
        put(&*target, &key("team", "data/key-based/a/b.json"), "mine").await;
        let (status, said, _) = run(&[]);
        assert_eq!((status, &said["refused"]), (Some(1), &true.into()), "{said}");
        assert_eq!(said["conflicts"]["first"][0], "team/data/key-based/a/b.json");
        let (status, said, _) = run(&["--overwrite"]);
        assert_eq!((status, &said["replaced"]), (Some(0), &1.into()), "{said}");
    }
}

/// The binary is killed at one moment after the other; the copy is whole when it is run to its end.
#[tokio::test]
async fn a_copy_that_was_killed_goes_on() {
    let home = tempdir().unwrap();
    let source = harness::local_disk(&home.path().join("tree"));
    for nth in 0..500 {
        put(&*source, &key("team", &format!("data/direct/{nth}")), &nth.to_string()).await;
    }
    fill(&source).await;
    let wanted = everything(&*source).await;
    let from = address("disk", home.path(), "tree");
    for (open, kind, name) in STORES {
        let place = home.path().join(format!("to-{kind}"));
        std::fs::create_dir(&place).expect("a folder");
        let to = address(kind, &place, name);
        let copy = || {
            let mut command = larder();
            command.args(["copy", "--json", "--from", &from, "--to", &to]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let at = if kind == "disk" { place.join(name) } else { place.clone() };
        let mut midway = 0;
        // A machine that is busy at one moment and free at the next can miss the middle.
        for _ in 0..5 {
            for wait in std::iter::successors(Some(10), |wait| Some(wait + wait / 3)) {
                let mut child = copy().spawn().expect("the binary starts");
                std::thread::sleep(Duration::from_millis(wait));
                if child.try_wait().expect("a state").is_some() {
                    break;
                }
                child.kill().expect("killed");
                child.wait().expect("an end");
                let so_far = everything(&*open(&at)).await.len();
                midway += usize::from(so_far > 0 && so_far < wanted.len());
            }
            if midway > 0 {
                break;
            }
            std::fs::remove_dir_all(&place).expect("removed");
            std::fs::create_dir(&place).expect("a folder");
        }
        assert!(midway > 0, "{to} was never left half copied");
        assert!(copy().status().expect("the binary runs").success(), "{to}");
        assert!(everything(&*open(&at)).await == wanted, "{to} is another");
    }
}

#[rstest]
#[case(&["--from", "memory", "--to", "disk:/nowhere/x"], "own process's alone")]
#[case(&["--from", "disk:/nowhere/x", "--to", "memory"], "there is no store at disk:/nowhere/x")]
#[case(&["--from", "/nowhere/x", "--to", "memory"], "is not the address of a store")]
#[case(&["--from", "disk:/tmp", "--to", "disk:/tmp"], "cannot be copied to itself")]
#[case(&["--from", "disk:/tmp"], "--to <STORE>")]
fn the_command_refuses_what_cannot_be_copied(#[case] arguments: &[&str], #[case] says: &str) {
    let output = larder().arg("copy").args(arguments).output().expect("the binary runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(2) && said.contains(says), "{said}");
}

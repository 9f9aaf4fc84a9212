//! The service over a store and over memory, side by side: the same operations, the same ids, the same
//! time; so the same answers, and the same files under the same names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use larder::cache::data::{DataPlace, NewData};
use larder::cache::document::Document;
use larder::cache::ident::{CacheHash, CacheId, DataType, Strategy as Layout};
use larder::cache::pyjson::{self, Text};
use larder::cache::retrieve::{Lookup, Retrieved};
use larder::cache::store::NewEntry;
use larder::cache::update::NewContent;
use larder::cache::{Cache, Clock, Ids, Prepared, Settings};
use larder::key::Namespace;
use larder::storage::memory::Memory;
use larder::storage::{Depth, Storage};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::adapter::wait_for;
use crate::bench::Bench;
use crate::check::Outcome;
use crate::ensure;
use crate::report::Failure;

/// An operation of the service. Names come from small pools, so that operations meet.
#[derive(Debug, Clone)]
enum Step {
    Store { namespace: u8, layout: u8, key: u8, file_id: Option<u8>, content: u8 },
    Update { namespace: u8, id: u8, content: u8 },
    Delete { namespace: u8, id: u8 },
    Read { namespace: u8, id: u8 },
    ReadHash { namespace: u8, content: u8 },
    StoreChild { namespace: u8, id: u8, key: u8, name: u8, content: u8 },
    DeleteChild { namespace: u8, id: u8, key: u8, name: u8 },
    DeleteChildren { namespace: u8, id: u8, key: u8 },
    Children { namespace: u8, id: u8, key: u8 },
    Browse { namespace: u8 },
    Clear { namespace: u8 },
}

const NAMESPACES: [&str; 4] = ["n", "n-b", "N", ""];
const KEYS: [&str; 6] = ["", "a", "a/b", "a-b", "A/é x", "a/f/data"];
const CONTENTS: [&str; 5] = ["\"\"", "{}", "{\"n\": [1, 1.0, null]}", "\"text é\"", "\"a\\nb\""];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let namespace = || 0..NAMESPACES.len() as u8;
    let key = || 0..KEYS.len() as u8;
    let content = || 0..CONTENTS.len() as u8;
    let id = || 0..6_u8;
    let file_id = prop::option::weighted(0.7, 0..2_u8);
    let step = prop_oneof![
        6 => (namespace(), 0..5_u8, key(), file_id, content()).prop_map(
            |(namespace, layout, key, file_id, content)| Step::Store {
                namespace, layout, key, file_id, content
            }
        ),
        2 => (namespace(), id(), content())
            .prop_map(|(namespace, id, content)| Step::Update { namespace, id, content }),
        2 => (namespace(), id()).prop_map(|(namespace, id)| Step::Delete { namespace, id }),
        2 => (namespace(), id()).prop_map(|(namespace, id)| Step::Read { namespace, id }),
        2 => (namespace(), content())
            .prop_map(|(namespace, content)| Step::ReadHash { namespace, content }),
        3 => (namespace(), id(), key(), 0..2_u8, content()).prop_map(
            |(namespace, id, key, name, content)| Step::StoreChild {
                namespace, id, key, name, content
            }
        ),
        1 => (namespace(), id(), key(), 0..2_u8).prop_map(
            |(namespace, id, key, name)| Step::DeleteChild { namespace, id, key, name }
        ),
        1 => (namespace(), id(), key())
            .prop_map(|(namespace, id, key)| Step::DeleteChildren { namespace, id, key }),
        1 => (namespace(), id(), key())
            .prop_map(|(namespace, id, key)| Step::Children { namespace, id, key }),
        1 => namespace().prop_map(|namespace| Step::Browse { namespace }),
        1 => namespace().prop_map(|namespace| Step::Clear { namespace }),
    ];
    vec(step, 1..30)
}

/// What readers are given of an entry, in all forms: how a store keeps it is its own affair.
fn served(read: Retrieved) -> impl std::fmt::Debug {
    let Retrieved { content, metadata, cache_id, cache_hash } = read;
    let forms = (content.data_type(), content.to_text(true), content.to_json(), content.to_bytes());
    (forms, metadata.compact(), cache_id, cache_hash)
}

/// Time and ids that depend on nothing but how often they were asked for.
#[derive(Debug, Default)]
struct Counted(AtomicU64);

impl Clock for Counted {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Ids for Counted {
    fn next(&self) -> CacheId {
        id(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn id(nth: u64) -> CacheId {
    let text = format!("{:08x}-0000-4000-8000-{nth:012x}", nth.wrapping_mul(0x9e37_79b9) >> 4);
    CacheId::parse(&text[text.len() - 36..]).expect("an id")
}

/// The service over one store.
struct Side {
    cache: Cache,
    clock: Arc<Counted>,
}

impl Side {
    fn over(storage: Arc<dyn Storage>) -> Self {
        let clock = Arc::new(Counted(AtomicU64::new(1_795_333_213_713)));
        let ids = Arc::new(Counted::default());
        let time = Arc::clone(&clock);
        Self { cache: Cache::with(storage, Settings::default(), time, ids), clock }
    }

    /// Carries a step out and says what came of it, errors included.
    async fn step(&self, step: &Step) -> String {
        // So that some steps fall into different hours.
        self.clock.0.fetch_add(700_000, Ordering::Relaxed);
        let answer = self.answer(step).await;
        answer.unwrap_or_else(|error| format!("error: {error}"))
    }

    async fn answer(&self, step: &Step) -> larder::cache::Result<String> {
        let space = |of: &u8| Namespace::clean(NAMESPACES[usize::from(*of)]).expect("clean");
        let key = |of: &u8| KEYS[usize::from(*of)];
        let content = |of: &u8| pyjson::parse_str(CONTENTS[usize::from(*of)]).expect("JSON");
        let name = |of: &u8| ["f", "g"][usize::from(*of)];
        let cache = &self.cache;
        Ok(match step {
            Step::Store { namespace, layout, key: cache_key, file_id, content: of } => {
                let content = match of {
                    0 => Prepared::binary(Bytes::from_static(b"\0\xff"), None, 100)?,
                    of => Prepared::json(&content(of), None, 10_000)?,
                };
                let namespace = space(namespace);
                let stored = cache.store(NewEntry {
                    namespace: &namespace,
                    strategy: Layout::ALL[usize::from(*layout)],
                    cache_key: key(cache_key),
                    file_id: file_id.as_ref().map(name),
                    cache_id: None,
                    content,
                });
                stored.await?.compact()
            }
            Step::Update { namespace, id: of, content: new } => {
                let (namespace, id) = (space(namespace), id(u64::from(*of)));
                let text = Text::from("updated");
                let value = content(new);
                let new = match new {
                    0 => NewContent::Binary(Bytes::from_static(b"bytes")),
                    1 => NewContent::Text(&text),
                    _ => NewContent::Json(&value),
                };
                format!("{:?}", cache.update(&namespace, &id, new).await?)
            }
            Step::Delete { namespace, id: of } => {
                cache.delete(&space(namespace), &id(u64::from(*of))).await?.compact()
            }
            Step::Read { namespace, id: of } => {
                let (namespace, id) = (space(namespace), id(u64::from(*of)));
                let read = cache.retrieve(&namespace, Lookup::Id(&id)).await?;
                let all = cache.refs_all(&namespace, &id).await?;
                format!("{:?} {:?}", read.map(served), all.map(|all| all.compact()))
            }
            Step::ReadHash { namespace, content: of } => {
                let namespace = space(namespace);
                let hash = Prepared::json(&content(of), None, 10_000)?.hash;
                let hash = CacheHash::parse(hash.as_str());
                let Ok(hash) = hash else { return Ok("no hash".to_owned()) };
                let read = cache.retrieve(&namespace, Lookup::Hash(&hash)).await?;
                format!("{:?} {:?}", read.map(served), cache.hash_refs(&namespace, &hash).await?)
            }
            Step::StoreChild { namespace, id: of, key: data_key, name: file, content: value } => {
                let (namespace, id) = (space(namespace), id(u64::from(*of)));
                let value = content(value);
                let place = place(&namespace, &id, key(data_key), name(file));
                let stored = cache.store_data(&place, NewData::Json(&value)).await?;
                format!("{stored:?} {:?}", cache.data_json(&place).await?)
            }
            Step::DeleteChild { namespace, id: of, key: data_key, name: file } => {
                let (namespace, id) = (space(namespace), id(u64::from(*of)));
                let place = place(&namespace, &id, key(data_key), name(file));
                format!("{:?}", cache.delete_data(&place, DataType::Json).await?)
            }
            Step::DeleteChildren { namespace, id: of, key: data_key } => {
                let (namespace, id) = (space(namespace), id(u64::from(*of)));
                format!("{:?}", cache.delete_all_data(&namespace, &id, key(data_key)).await?)
            }
            Step::Children { namespace, id: of, key: data_key } => {
                let (namespace, id) = (space(namespace), id(u64::from(*of)));
                let all = cache.list_data(&namespace, &id, key(data_key), Depth::All).await?;
                format!("{all:?}")
            }
            Step::Browse { namespace } => {
                let namespace = space(namespace);
                let stats = cache.stats(&namespace, 24).await?;
                let folders = cache.raw_folders_in(namespace.as_str()).await?;
                let (ids, hashes) = (cache.ids(&namespace).await?, cache.hashes(&namespace).await?);
                format!("{} {folders:?} {ids:?} {hashes:?}", stats.compact())
            }
            Step::Clear { namespace } => format!("{}", cache.clear(&space(namespace)).await?),
        })
    }

    /// Every file there is, with its bytes.
    async fn files(&self) -> larder::cache::Result<Vec<(String, Option<Bytes>)>> {
        let mut files = Vec::new();
        for path in self.cache.raw_files("").await? {
            let bytes = self.cache.raw_read(&path).await?;
            files.push((path, bytes));
        }
        Ok(files)
    }
}

fn place<'a>(
    namespace: &'a Namespace,
    cache_id: &'a CacheId,
    data_key: &'a str,
    data_file_id: &'a str,
) -> DataPlace<'a> {
    DataPlace { namespace, cache_id, data_key, data_file_id }
}

/// The property.
pub(super) fn service_as_over_memory(bench: &Bench) -> Outcome {
    let cases = bench.rounds(24);
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&bench.seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let answer =
        runner.run(&steps(), |steps| run(bench, &steps).map_err(|of| TestCaseError::fail(of.what)));
    match answer {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, steps)) => {
            let lines: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
            Err(Failure::new(format!("{reason}\nafter:\n{}", lines.join("\n"))))
        }
        Err(TestError::Abort(reason)) => Err(Failure::inconclusive(reason.to_string())),
    }
}

fn run(bench: &Bench, steps: &[Step]) -> Outcome {
    let (_home, handle) = bench.fresh()?;
    let (store, memory) = (Side::over(handle.0), Side::over(Arc::new(Memory::new())));
    wait_for(async {
        for step in steps {
            let (ours, wanted) = (store.step(step).await, memory.step(step).await);
            ensure!(ours == wanted, "{step:?} gave\n{ours}\nand over memory\n{wanted}");
        }
        let files = async |side: &Side| {
            side.files().await.map_err(|error| Failure::new(format!("failed to look: {error}")))
        };
        let (ours, wanted) = (files(&store).await?, files(&memory).await?);
        ensure!(ours == wanted, "the files are\n{ours:?}\nand over memory\n{wanted:?}");
        Ok(())
    })
}

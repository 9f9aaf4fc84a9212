//! The memory store under a schedule explorer: its source, compiled with shuttle's locks, runs
//! through thousands of interleavings that real threads would hardly ever take.

use std::sync::Arc;

use larder::key;
use larder::key::{Key, Namespace, RelPath};
use larder::storage::*;
use larder_conformance::linear::{self, Answer, Call, Event, Guard, Verdict};
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;

/// The locks of `memory`, in place of the standard library's.
mod sync {
    pub(super) use shuttle::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub(super) use std::sync::PoisonError;
}

#[expect(dead_code, unreachable_pub, reason = "the store's source, not all of it used")]
#[path = "../../src/storage/memory.rs"]
mod memory;

use memory::Memory;

fn place(path: &str) -> Key {
    let team = Namespace::parse("team").expect("a clean name");
    team.key(RelPath::parse(path).expect("a clean path")).expect("a short key")
}

fn wait<T>(call: impl Future<Output = T>) -> T {
    shuttle::future::block_on(call)
}

fn put(store: &Memory, path: &str, value: u32, expect: Expect) -> Result<()> {
    let key = place(path);
    let mut batch = Batch::new(&key.namespace());
    batch.put_if(key, value.to_be_bytes().to_vec(), expect);
    wait(store.apply(batch))
}

fn number(object: &Object) -> u32 {
    u32::from_be_bytes((&*object.bytes).try_into().expect("four bytes"))
}

#[test]
fn a_counter_loses_no_step_in_any_schedule() {
    shuttle::check_random(
        || {
            let store = Arc::new(Memory::new());
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let store = Arc::clone(&store);
                    thread::spawn(move || {
                        for _ in 0..2 {
                            loop {
                                let before = wait(store.get(&place("n"))).expect("a read");
                                let (next, expect) = match before {
                                    Some(object) => {
                                        (number(&object) + 1, Expect::At(object.version))
                                    }
                                    None => (1, Expect::Absent),
                                };
                                if put(&store, "n", next, expect).is_ok() {
                                    break;
                                }
                            }
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            let end = wait(store.get(&place("n"))).expect("a read").expect("a value");
            assert_eq!(number(&end), 6);
        },
        500,
    );
}

#[test]
fn a_batch_is_seen_whole_in_every_schedule() {
    shuttle::check_dfs(
        || {
            let store = Arc::new(Memory::new());
            let writer = {
                let store = Arc::clone(&store);
                thread::spawn(move || {
                    let mut batch = Batch::new(&place("a").namespace());
                    batch.put(place("a"), "1");
                    batch.then();
                    batch.put(place("b"), "2");
                    wait(store.apply(batch)).expect("a write");
                })
            };
            let everything = place("a").namespace().everything();
            let limit = std::num::NonZeroUsize::new(10).expect("ten");
            let query = List { prefix: everything, depth: Depth::All, after: None, limit };
            let seen = wait(store.list(query)).expect("a page").entries.len();
            assert!(seen == 0 || seen == 2, "a reader saw {seen} of two keys");
            writer.join().expect("no panic");
        },
        None,
    );
}

#[test]
fn what_threads_see_of_a_key_has_an_order_in_any_schedule() {
    shuttle::check_random(
        || {
            let store = Arc::new(Memory::new());
            let clock = Arc::new(AtomicU64::new(0));
            let threads: Vec<_> = (0..3_u32)
                .map(|thread| {
                    let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
                    thread::spawn(move || {
                        let mut events = Vec::new();
                        for nth in 0..3_u32 {
                            let start = clock.fetch_add(1, Ordering::SeqCst);
                            let (call, answer) = if (nth + thread) % 2 == 0 {
                                let seen = wait(store.get(&place("k"))).expect("a read");
                                (Call::Read, Answer::Value(seen.as_ref().map(number)))
                            } else {
                                let value = thread * 10 + nth;
                                let answer = put(&store, "k", value, Expect::Absent);
                                let answer =
                                    if answer.is_ok() { Answer::Done } else { Answer::Conflict };
                                (Call::Put(value, Guard::Absent), answer)
                            };
                            let end = clock.fetch_add(1, Ordering::SeqCst);
                            events.push(Event { thread, call, answer, start, end });
                        }
                        events
                    })
                })
                .collect();
            let history: Vec<_> =
                threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
            assert_eq!(linear::check(None, &history), Verdict::Linearizable);
        },
        500,
    );
}

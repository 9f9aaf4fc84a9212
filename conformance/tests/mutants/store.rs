//! A plain correct store with a place to plant each bug.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use larder::key::{Key, Namespace};
use larder::storage::{
    Batch, Change, Error, Expect, List, Object, Page, Promises, Result, Stat, Storage,
};

use crate::handle::Broken;
use crate::listing;
use crate::names::place;
use crate::state::{failure, gap};
use crate::table::Bug;

#[async_trait]
impl Storage for Broken {
    fn promises(&self) -> Promises {
        let written = self.bug() == Bug::PromisesChange && self.core.lock().last > 0;
        let atomic = !matches!(
            self.bug(),
            Bug::NoneNotAtomic | Bug::LaterStepsDone | Bug::PromisesTooLittle
        );
        Promises {
            atomic_batches: atomic && !written,
            survives_restart: false,
            shared_between_processes: false,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        if self.bug() == Bug::LockHeldByRead {
            while self.core.turn.swap(true, Ordering::Acquire) {
                thread::sleep(Duration::from_millis(1));
            }
            tokio::task::yield_now().await;
            self.core.turn.store(false, Ordering::Release);
        }
        Ok(self.look(key))
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let Some(object) = self.look(key) else { return Ok(None) };
        if self.bug() == Bug::StatTwoLocks {
            thread::yield_now();
        }
        let state = self.core.lock();
        let slot = state.map.get(&place(self.bug(), key));
        let (mut size, mut version) = (object.bytes.len() as u64, object.version);
        match self.bug() {
            Bug::SizeOfFirst => size = slot.map_or(0, |slot| slot.first_size),
            // The size is read under the lock taken anew.
            Bug::StatTwoLocks => size = slot.map_or(0, |slot| slot.bytes.len() as u64),
            Bug::SizeIn32 => size &= 0xffff,
            Bug::EmptyNotStatted if size == 0 => return Ok(None),
            Bug::StatVersionDiffers => version = slot.map_or(1, |slot| slot.version + 1000).into(),
            _ => {}
        }
        Ok(Some(Stat { size: size.into(), version }))
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let bug = self.bug();
        if bug == Bug::EmptyBatchFails && batch.is_empty() {
            return Err(failure("nothing to do"));
        }
        if matches!(bug, Bug::LockAcrossAwait | Bug::LockHeldOnDrop) {
            while self.core.turn.swap(true, Ordering::Acquire) {
                thread::sleep(Duration::from_millis(1));
            }
            tokio::task::yield_now().await;
            self.core.turn.store(false, Ordering::Release);
        }
        let steps = self.distort(batch.into_steps());
        let guarded = steps.iter().flatten().any(|change| *change.expect() != Expect::Any);
        let absent = steps.iter().flatten().any(|change| *change.expect() == Expect::Absent);
        let deletes = steps.iter().flatten().any(|change| matches!(change, Change::Delete { .. }));
        if bug == Bug::LockOrder {
            for change in steps.iter().flatten() {
                let at = place(bug, change.key());
                while self.core.locks.lock().unwrap_or_else(PoisonError::into_inner).contains(&at) {
                    thread::sleep(Duration::from_millis(1));
                }
                self.core.locks.lock().unwrap_or_else(PoisonError::into_inner).push(at);
                gap(100);
            }
        }
        let mut state = self.core.lock();
        if state.failed {
            state.failed = false;
            return Err(failure("still failing"));
        }
        if bug == Bug::OneInThirteenLost && state.last % 13 == 12 {
            state.last += 1;
            return Ok(());
        }
        if let Some(error) = steps.iter().flatten().find_map(|change| self.refuse(&state, change)) {
            return Err(error);
        }
        if let Some((nth, key)) = self.conflict(&state, &steps) {
            let error = self.remains(&mut state, &steps, nth, &key);
            if bug == Bug::LockOrder {
                self.core.locks.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
            return Err(error);
        }
        if let Some(bound) = self.core.bound {
            let more: u64 = steps
                .iter()
                .flatten()
                .map(|change| match change {
                    Change::Put { bytes, key, .. } => {
                        let before = state
                            .map
                            .get(&place(bug, key))
                            .map_or(0, |s| s.bytes.len() as u64 + 100);
                        (bytes.len() as u64 + 100).saturating_sub(before)
                    }
                    Change::Delete { .. } => 0,
                })
                .sum();
            let over = more > 0 && state.bytes() + more > bound;
            if over || (bug == Bug::FullForever && state.full && !deletes) {
                state.full = true;
                let full = Error::Full { backend: "mutant", needed: more };
                match bug {
                    Bug::FullSilently => return Ok(()),
                    Bug::FullNotFull => return Err(failure("no room")),
                    Bug::FullAppliesPart => {
                        let first = steps.into_iter().flatten().next();
                        first.into_iter().for_each(|change| state.carry_out(bug, change, self.id));
                        return Err(full);
                    }
                    _ => return Err(full),
                }
            }
            if bug == Bug::RoomLeaks {
                state.leaked += 200;
            }
        }
        if bug == Bug::Traversal {
            for change in steps.iter().flatten() {
                if let (Some((_, name)), Change::Put { bytes, .. }) =
                    (change.key().path().split_once("%2e%2e/"), change)
                {
                    let _ = std::fs::write(self.core.home.join("..").join(name), bytes);
                }
            }
        }
        let race = match bug {
            Bug::CreateRace => absent,
            Bug::UpdateRace | Bug::AppendRace | Bug::ReferenceRace => guarded && !absent,
            Bug::DeleteRace => guarded && deletes,
            _ => false,
        };
        if race {
            drop(state);
            gap(if bug == Bug::AppendRace { 10 } else { 60 });
            state = self.core.lock();
        }
        if bug == Bug::GuardBeforeLock {
            drop(state);
            thread::yield_now();
            state = self.core.lock();
        }
        if bug == Bug::IndexRewritten {
            let mut copy = state.clone();
            drop(state);
            gap(60);
            steps.into_iter().flatten().for_each(|change| copy.carry_out(bug, change, self.id));
            *self.core.lock() = copy;
            return Ok(());
        }
        let below = bug == Bug::BatchDropsBelow && steps.iter().flatten().count() > 1;
        for (nth, change) in steps.into_iter().flatten().enumerate() {
            let at = place(bug, change.key());
            if let Change::Put { key, bytes, .. } = &change {
                let there = state.map.contains_key(&at);
                let (half, len) = (bytes.len() / 2, bytes.len());
                let partial = match bug {
                    Bug::TornOverwrite if there && len > 100 => {
                        let old =
                            state.map.get(&at).map(|slot| slot.bytes.clone()).unwrap_or_default();
                        Some(Bytes::from(
                            [&bytes[..half], old.get(half..).unwrap_or_default()].concat(),
                        ))
                    }
                    Bug::MixedWrites if len > 100 && there => Some(bytes.bytes().slice(..half)),
                    Bug::TornCreate if !there && len > 100 => Some(bytes.bytes().slice(..half)),
                    _ => None,
                };
                if let Some(partial) = partial {
                    state.put(bug, key.clone(), partial, &Expect::Any, self.id);
                    drop(state);
                    gap(30);
                    state = self.core.lock();
                    if bug == Bug::MixedWrites {
                        let first = state
                            .map
                            .get(&at)
                            .map(|slot| slot.bytes.slice(..slot.bytes.len().min(half)));
                        let mixed = [&first.unwrap_or_default()[..], &bytes[half..]].concat();
                        state.put(bug, key.clone(), mixed.into(), &Expect::Any, self.id);
                        continue;
                    }
                }
                let vanishes =
                    matches!(bug, Bug::GoneDuringOverwrite | Bug::ListGap | Bug::NamespaceGap)
                        && there;
                if vanishes {
                    state.map.remove(&at);
                    drop(state);
                    gap(30);
                    state = self.core.lock();
                }
            } else if below {
                state.map.retain(|other, _| !other.starts_with(&format!("{at}/")));
            }
            state.carry_out(bug, change, self.id);
            if matches!(bug, Bug::BatchVisibleInParts | Bug::StepsVisibleBackwards) && nth < 4 {
                drop(state);
                gap(20);
                state = self.core.lock();
            }
        }
        drop(state);
        if bug == Bug::LockOrder {
            self.core.locks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        Ok(())
    }

    async fn list(&self, query: List) -> Result<Page> {
        Ok(listing::page(self, &query))
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        static LISTING: AtomicUsize = AtomicUsize::new(0);
        let others = LISTING.fetch_add(1, Ordering::SeqCst);
        if self.bug() == Bug::ListersShare {
            gap(30);
        }
        let found = listing::namespaces(self);
        LISTING.fetch_sub(1, Ordering::SeqCst);
        Ok(if self.bug() == Bug::ListersShare && others > 0 { Vec::new() } else { found })
    }
}

//! One handle on a store with a planted bug: how it looks, judges and plans.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use larder::key::Key;
use larder::storage::{Change, Error, Expect, Object, Version};

use crate::names::place;
use crate::state::{Core, State, failure, second};
use crate::table::Bug;

/// One handle.
pub(crate) struct Broken {
    pub(crate) core: Arc<Core>,
    pub(crate) id: u64,
    cache: Mutex<HashMap<String, (Option<Object>, Instant)>>,
}

impl Broken {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { core, id: NEXT.fetch_add(1, Ordering::Relaxed), cache: Mutex::default() }
    }

    pub(crate) fn bug(&self) -> Bug {
        self.core.bug
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn look(&self, key: &Key) -> Option<Object> {
        let bug = self.bug();
        let at = place(bug, key);
        if bug == Bug::TickCache {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((object, when)) = cache.get(&at)
                && when.elapsed() < Duration::from_millis(1)
            {
                return object.clone();
            }
        }
        let mut state = self.core.lock();
        state.reads += 1;
        if bug == Bug::Flaky && state.reads % 300 == 299 {
            return None;
        }
        if bug == Bug::ReadBumpsVersion {
            let last = state.next_version(bug, &at);
            if let Some(slot) = state.map.get_mut(&at) {
                slot.version = last;
            }
        }
        if bug == Bug::StaleOnce
            && let Some(slot) = state.map.get_mut(&at)
            && std::mem::take(&mut slot.stale)
        {
            let bytes = slot.old.clone().unwrap_or_default();
            return Some(Object { bytes: bytes.into(), version: Version::from(slot.version) });
        }
        if bug == Bug::DeletedReturns
            && let Some(grave) = state.graves.get(&at)
            && grave.second != second()
        {
            return Some(Object {
                bytes: grave.bytes.clone().into(),
                version: grave.version.into(),
            });
        }
        if bug == Bug::AbsentIsEmpty
            && !state.map.contains_key(&at)
            && state.map.keys().any(|other| other.starts_with(&format!("{at}/")))
        {
            return Some(Object { bytes: Bytes::new().into(), version: 0.into() });
        }
        let slot = state.map.get(&at)?;
        if (bug == Bug::EmptyIsMissing && slot.bytes.is_empty())
            || (bug == Bug::Expires && slot.second != second())
            || (bug == Bug::MetaHidden && key.path().ends_with(".meta"))
        {
            return None;
        }
        let fresh = slot.written.elapsed()
            < Duration::from_micros(if bug == Bug::StaleBriefly { 50 } else { 400 });
        let mut bytes = slot.bytes.clone();
        match (bug, &slot.old) {
            (Bug::HandleCaches, Some(old)) if slot.by != self.id && slot.writes > 0 => {
                bytes = old.clone()
            }
            (Bug::TwoHandlesLastByte, Some(_)) if slot.by != self.id && bytes.len() > 1 => {
                bytes.truncate(bytes.len() - 1);
            }
            (Bug::StaleReads, Some(old)) if fresh && state.reads.is_multiple_of(3) => {
                bytes = old.clone()
            }
            (Bug::StaleByHandle | Bug::StaleBriefly, Some(old)) if fresh && slot.by != self.id => {
                bytes = old.clone()
            }
            (Bug::VersionLater, Some(old)) if fresh && state.reads.is_multiple_of(2) => {
                bytes = old.clone()
            }
            _ => {}
        }
        let object = Object { bytes: bytes.into(), version: state.version(bug, slot, self.id) };
        drop(state);
        if bug == Bug::TickCache {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert(at, (Some(object.clone()), Instant::now()));
        }
        Some(object)
    }

    /// Checks every expectation; gives the key to name when one fails.
    pub(crate) fn conflict(&self, state: &State, steps: &[Vec<Change>]) -> Option<(usize, Key)> {
        let bug = self.bug();
        let mut found = None;
        let mut guards = 0;
        for (nth, step) in steps.iter().enumerate() {
            for change in step {
                if *change.expect() != Expect::Any {
                    guards += 1;
                    if bug == Bug::GuardsAfterFirstIgnored && guards > 1 {
                        continue;
                    }
                }
                let before = steps[..nth].iter().rev();
                let mut earlier =
                    before.filter_map(|step| step.iter().find(|other| other.key() == change.key()));
                let earlier = if bug == Bug::GuardsSeeStart { None } else { earlier.next() };
                if !state.holds(bug, change, earlier, self.id)
                    && (found.is_none() || bug == Bug::LastFailureNamed)
                {
                    found = Some((nth, change.key().clone()));
                }
            }
        }
        found
    }

    /// What stays behind although a batch was refused.
    pub(crate) fn remains(
        &self,
        state: &mut State,
        steps: &[Vec<Change>],
        failed: usize,
        key: &Key,
    ) -> Error {
        let bug = self.bug();
        let before: Vec<Change> = match bug {
            Bug::EarlierStepsStay | Bug::NoneNotAtomic => {
                steps[..failed].iter().flatten().cloned().collect()
            }
            Bug::StepKeepsEarlierChanges => {
                steps[failed].iter().take_while(|change| change.key() != key).cloned().collect()
            }
            Bug::LaterStepsDone => {
                [&steps[..failed], &steps[failed + 1..]].concat().into_iter().flatten().collect()
            }
            Bug::RefusedButStored => steps[failed].to_vec(),
            Bug::LoserLeaves => steps
                .iter()
                .flatten()
                .filter(|change| *change.expect() == Expect::Any)
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        before.into_iter().for_each(|change| state.carry_out(bug, change, self.id));
        match bug {
            Bug::ConflictSticks => state.stuck.push(place(bug, key)),
            Bug::FailureSticks => state.failed = true,
            Bug::RefusedBumps => {
                let at = place(bug, key);
                let version = state.next_version(bug, &at);
                if let Some(slot) = state.map.get_mut(&at) {
                    slot.version = version;
                }
            }
            Bug::ConflictIsOther => return failure("the expectation failed"),
            Bug::ConflictNamesFirst => {
                let first = steps.iter().flatten().next().map_or(key, Change::key);
                return Error::Conflict { key: first.clone() };
            }
            _ => {}
        }
        Error::Conflict { key: key.clone() }
    }

    pub(crate) fn refuse(&self, state: &State, change: &Change) -> Option<Error> {
        let at = place(self.bug(), change.key());
        let refused = match (self.bug(), change) {
            (Bug::ZipRefused, Change::Put { bytes, .. }) => bytes.starts_with(b"PK\x03\x04"),
            (Bug::SegmentRefused244, Change::Put { key, .. }) => {
                key.path().split('/').any(|s| s.len() > 243)
            }
            (Bug::FileBlocksFolder, Change::Put { .. }) => {
                state.map.keys().any(|other| at.starts_with(&format!("{other}/")))
            }
            (Bug::UnderscoresRefused, Change::Put { key, .. }) => {
                key.namespace_str().starts_with('_')
                    && key.namespace_str().trim_matches('_').is_empty()
            }
            (Bug::DeleteMissingFails, Change::Delete { .. }) => !state.map.contains_key(&at),
            (Bug::DeleteAgainFails, Change::Delete { .. }) => {
                !state.map.contains_key(&at) && state.graves.contains_key(&at)
            }
            _ => false,
        };
        refused.then(|| failure("refused"))
    }

    /// Rewrites the steps as a broken planner would.
    pub(crate) fn distort(&self, mut steps: Vec<Vec<Change>>) -> Vec<Vec<Change>> {
        let count = steps.iter().map(Vec::len).sum::<usize>();
        let guarded = steps.iter().flatten().any(|change| *change.expect() != Expect::Any);
        match self.bug() {
            Bug::BatchFirstOnly => {
                steps.truncate(1);
                steps.iter_mut().for_each(|step| step.truncate(1));
            }
            Bug::StepsBackwards | Bug::StepsVisibleBackwards => steps.reverse(),
            Bug::BatchCut1000 if count > 1000 => {
                steps.iter_mut().for_each(|step| step.truncate(1000))
            }
            Bug::ValuesShifted if count > 20 => {
                for step in &mut steps {
                    let values: Vec<_> = step
                        .iter()
                        .map(|change| match change {
                            Change::Put { bytes, .. } => bytes.bytes().clone(),
                            Change::Delete { .. } => Bytes::new(),
                        })
                        .collect();
                    for (nth, change) in step.iter_mut().enumerate() {
                        if let Change::Put { bytes, .. } = change {
                            *bytes = values[(nth + 1) % values.len()].clone().into();
                        }
                    }
                }
            }
            Bug::GuardedOnly if guarded => {
                steps
                    .iter_mut()
                    .for_each(|step| step.retain(|change| *change.expect() != Expect::Any));
            }
            _ => {}
        }
        steps
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bug() == Bug::DebugShows {
            let state = self.core.lock();
            let values: Vec<_> = state.map.values().map(|slot| slot.bytes.clone()).collect();
            return write!(f, "Broken({values:?})");
        }
        write!(f, "Broken({:?})", self.bug())
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        if self.bug() == Bug::DropClears {
            self.core.lock().map.clear();
        }
    }
}

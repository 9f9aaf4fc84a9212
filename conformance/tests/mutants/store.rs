//! A plain correct store with a place to plant each bug.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use larder::key::{Key, Namespace};
use larder::storage::{
    Batch, Change, Error, Expect, List, Object, Page, Promises, Result, Stat, Storage, Version,
};

use crate::listing;
use crate::names::place;
use crate::table::Bug;

/// What all handles on one home share.
pub(crate) struct Core {
    pub(crate) bug: Bug,
    pub(crate) home: PathBuf,
    pub(crate) bound: Option<u64>,
    pub(crate) state: Mutex<State>,
    turn: AtomicBool,
    locks: Mutex<Vec<String>>,
}

#[derive(Default, Clone)]
pub(crate) struct State {
    pub(crate) map: BTreeMap<String, Slot>,
    pub(crate) last: u64,
    counters: HashMap<String, u64>,
    pub(crate) graves: HashMap<String, Slot>,
    pub(crate) ghosts: Vec<Key>,
    pub(crate) cached: HashMap<String, Vec<Key>>,
    pub(crate) folders: Vec<Key>,
    stuck: Vec<String>,
    failed: bool,
    full: bool,
    leaked: u64,
    reads: u64,
    last_write: Option<(String, String)>,
}

#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) key: Key,
    pub(crate) bytes: Bytes,
    pub(crate) version: u64,
    old: Option<Bytes>,
    pub(crate) first_size: u64,
    pub(crate) by: u64,
    stale: bool,
    writes: u64,
    written: Instant,
    second: u64,
}

/// One handle.
pub(crate) struct Broken {
    pub(crate) core: Arc<Core>,
    id: u64,
    cache: Mutex<HashMap<String, (Option<Object>, Instant)>>,
}

impl Core {
    pub(crate) fn new(bug: Bug, home: PathBuf, bound: Option<u64>) -> Self {
        let core = Self {
            bug,
            home,
            bound,
            state: Mutex::default(),
            turn: AtomicBool::new(false),
            locks: Mutex::default(),
        };
        if bug == Bug::NewHasContent {
            let key =
                Namespace::parse("team").and_then(|team| team.key_from_physical("team/.system"));
            let key = key.expect("a good key");
            let change = Change::Put { key, bytes: "x".into(), expect: Expect::Any };
            core.lock().carry_out(bug, change, 0);
        }
        core
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn second() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Long enough for another thread to get in between.
pub(crate) fn gap(micros: u64) {
    thread::sleep(Duration::from_micros(micros));
}

fn failure(what: &'static str) -> Error {
    Error::Other { backend: "mutant", source: what.into() }
}

impl State {
    fn version(&self, bug: Bug, slot: &Slot, handle: u64) -> Version {
        let number = match bug {
            Bug::VersionIsLength => slot.bytes.len() as u64,
            Bug::VersionIsSecond => slot.second,
            Bug::VersionOfReadTime => slot.version * 100_000 + second() % 100_000,
            Bug::VersionOfStore => self.last,
            Bug::VersionWraps => slot.version % 32,
            Bug::VersionOfHandle => slot.version * 1000 + handle % 1000,
            _ => slot.version,
        };
        Version::from(number)
    }

    fn next_version(&mut self, bug: Bug, place: &str) -> u64 {
        self.last += 1;
        match bug {
            Bug::VersionPerKey | Bug::VersionRestarts => {
                let counter = self.counters.entry(place.into()).or_default();
                *counter += 1;
                *counter
            }
            Bug::VersionPerNamespace => {
                let space = place.split('/').next().unwrap_or_default();
                let counter = self.counters.entry(space.into()).or_default();
                *counter += 1;
                *counter
            }
            _ => self.last,
        }
    }

    /// Whether an expectation holds; `earlier` is what the batch itself did to the key before.
    fn holds(&self, bug: Bug, change: &Change, earlier: Option<&Change>, handle: u64) -> bool {
        let at = place(bug, change.key());
        let delete = matches!(change, Change::Delete { .. });
        let large = matches!(change, Change::Put { bytes, .. } if bytes.len() > 1 << 20);
        if bug == Bug::GuardIgnored
            || (bug == Bug::LargeUnguarded && large)
            || (bug == Bug::GuardedDeleteIgnored && delete)
            || self.stuck.contains(&at)
        {
            return !self.stuck.contains(&at);
        }
        let slot = self.map.get(&at);
        let there = match earlier {
            Some(Change::Put { .. }) => true,
            Some(Change::Delete { .. }) => false,
            None => match bug {
                Bug::EmptyIsAbsent => slot.is_some_and(|slot| !slot.bytes.is_empty()),
                Bug::GuardSeesFolder => {
                    slot.is_some()
                        || self.map.keys().any(|other| other.starts_with(&format!("{at}/")))
                }
                _ => slot.is_some(),
            },
        };
        match change.expect() {
            Expect::Any => true,
            Expect::Absent => {
                !there || bug == Bug::AbsentIgnored || (bug == Bug::DeleteAbsentHolds && delete)
            }
            Expect::At(_) if bug == Bug::AtNeverHolds => false,
            Expect::At(_) if bug == Bug::AtMissingHolds && slot.is_none() => true,
            Expect::At(version) => {
                let (Some(slot), true) = (slot, there && earlier.is_none()) else { return false };
                if bug == Bug::GuardExpires && slot.second != second() {
                    return false;
                }
                if bug == Bug::SecondWins
                    && slot.version > 1
                    && version.as_number() == Some(slot.version - 1)
                {
                    return slot.by != handle;
                }
                let older = version.as_number().is_some_and(|number| number <= slot.version);
                let huge = version.as_number().is_some_and(|number| number >= i64::MAX as u64);
                *version == self.version(bug, slot, handle)
                    || (bug == Bug::OlderAccepted && older)
                    || (bug == Bug::HugeMatches && huge)
                    || (bug == Bug::GarbageMatches && version.as_text().is_some())
            }
        }
    }

    fn keep(bug: Bug, bytes: Bytes, before: Option<&Slot>) -> Bytes {
        let mut value = if bug == Bug::PinsBuffer { return bytes } else { bytes.to_vec() };
        match bug {
            Bug::TrailingNulStripped => {
                while value.last() == Some(&0) {
                    value.pop();
                }
            }
            Bug::CrLf => value.retain(|byte| *byte != b'\r'),
            Bug::Utf8Lossy => value = String::from_utf8_lossy(&value).into_owned().into_bytes(),
            Bug::ValueTrimmed => value = value.trim_ascii().to_vec(),
            Bug::BomStripped => {
                value = value.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&value).to_vec()
            }
            Bug::GzipSniffed if value.starts_with(b"\x1f\x8b") => value.clear(),
            Bug::RunsCollapsed
                if value.len() > 200_000 && value[1000..].iter().all(|b| *b == 0) =>
            {
                value.truncate(100_000);
            }
            Bug::ValueCut64K => value.truncate(65_536),
            Bug::ValueCut1M => value.truncate(1 << 20),
            Bug::LargeFirstByte if value.len() > 100_000 => value[0] = 0,
            Bug::OneByteLost if value.len() == 1 => value.clear(),
            Bug::TailKept => {
                if let Some(tail) = before.and_then(|slot| slot.bytes.get(value.len()..)) {
                    value.extend_from_slice(tail);
                }
            }
            _ => {}
        }
        value.into()
    }

    fn carry_out(&mut self, bug: Bug, change: Change, handle: u64) {
        match change {
            Change::Put { key, bytes, expect } => self.put(bug, key, bytes, &expect, handle),
            Change::Delete { key, .. } => self.delete(bug, &key),
        }
    }

    fn put(&mut self, bug: Bug, key: Key, bytes: Bytes, expect: &Expect, handle: u64) {
        let at = place(bug, &key);
        let before = self.map.get(&at).cloned();
        let len = bytes.len();
        let space = key.namespace_str().to_owned();
        if let Some(slot) = &before {
            let lost = match bug {
                Bug::OverwriteLost => len.abs_diff(slot.bytes.len()) < 3,
                Bug::OverwriteLostSameLen => len == slot.bytes.len(),
                Bug::ThirdOverwriteLost => slot.writes % 3 == 2,
                Bug::AnyMeansAbsent => *expect == Expect::Any,
                Bug::ShortAfterLong => slot.bytes.len() > 10_000 && len < 100,
                _ => false,
            };
            if lost {
                if let Some(slot) = self.map.get_mut(&at) {
                    slot.writes += 1;
                }
                return;
            }
        }
        let path = key.path().to_owned();
        if bug == Bug::InterleavedLost
            && self
                .last_write
                .as_ref()
                .is_some_and(|(s, p)| *s != space && *p == path && p.len() < 4)
        {
            self.last_write = None;
            return;
        }
        match bug {
            Bug::FileReplacesFolder => {
                let upper: Vec<_> = self
                    .map
                    .keys()
                    .filter(|other| at.starts_with(&format!("{other}/")))
                    .cloned()
                    .collect();
                upper.iter().for_each(|other| drop(self.map.remove(other)));
            }
            Bug::ParentPutLosesChild => {
                let child = format!("{at}/");
                if before.is_none() {
                    self.map.retain(|other, _| !other.starts_with(&child));
                }
            }
            Bug::LargeShared if len > 300_000 => {
                for slot in self.map.values_mut().filter(|slot| slot.bytes.len() > 300_000) {
                    slot.bytes = bytes.clone();
                }
            }
            Bug::NsLastWins => {
                let others = self.map.values().filter(|slot| {
                    let other = slot.key.namespace_str();
                    slot.key.path() == path
                        && other != space
                        && other.starts_with(&space)
                        && space.len() > 1
                });
                let places: Vec<_> = others.map(|slot| place(bug, &slot.key)).collect();
                for other in places {
                    if let Some(slot) = self.map.get_mut(&other) {
                        slot.bytes = bytes.clone();
                    }
                }
            }
            Bug::NsResurrects
                if !self.map.keys().any(|other| other.starts_with(&format!("{space}/"))) =>
            {
                let back: Vec<_> = self
                    .graves
                    .values()
                    .filter(|slot| slot.key.namespace_str() == space)
                    .cloned()
                    .collect();
                for slot in back {
                    self.map.insert(place(bug, &slot.key), slot);
                }
            }
            _ => {}
        }
        self.last_write = Some((space, path));
        let kept = match (bug, self.graves.get(&at)) {
            (Bug::Resurrects, Some(grave)) if before.is_none() => grave.bytes.clone(),
            _ => Self::keep(bug, bytes, before.as_ref()),
        };
        if bug == Bug::KeepsHistory
            && before.as_ref().is_some_and(|slot| slot.writes == 500)
            && let Some(old) = before.clone()
        {
            let name = format!("{}.v500", key.as_str());
            if let Some(key) = key.namespace().key_from_physical(&name) {
                self.map.insert(place(bug, &key), Slot { key, ..old });
            }
        }
        let version = self.next_version(bug, &at);
        let slot = Slot {
            first_size: before.as_ref().map_or(len as u64, |slot| slot.first_size),
            key: before.as_ref().map_or(key, |slot| slot.key.clone()),
            stale: before.is_some(),
            writes: before.as_ref().map_or(0, |slot| slot.writes + 1),
            old: before.map(|slot| slot.bytes),
            bytes: kept,
            version,
            by: handle,
            written: Instant::now(),
            second: second(),
        };
        self.map.insert(at, slot);
        if bug == Bug::Lru200 && self.map.len() > 200 {
            let oldest =
                self.map.iter().min_by_key(|(_, slot)| slot.version).map(|(at, _)| at.clone());
            oldest.map(|at| self.map.remove(&at));
        }
    }

    fn delete(&mut self, bug: Bug, key: &Key) {
        let at = place(bug, key);
        if bug == Bug::DeleteNoop {
            return;
        }
        let gone = self.map.remove(&at);
        let drop_all = |map: &mut BTreeMap<String, Slot>, start: String| {
            map.retain(|other, _| !other.starts_with(&start));
        };
        match bug {
            Bug::DeleteSubtree => drop_all(&mut self.map, format!("{at}/")),
            Bug::DeleteSiblings => drop_all(&mut self.map, at.clone()),
            Bug::BatchTakesParent => {
                if let Some((parent, _)) = at.rsplit_once('/') {
                    self.map.remove(parent);
                }
            }
            Bug::SharedContent => {
                if let Some(gone) = &gone {
                    self.map.retain(|_, slot| slot.bytes != gone.bytes || slot.bytes.len() < 1000);
                }
            }
            Bug::EmptyingTakesSiblings => {
                let space = key.namespace_str();
                if !self.map.values().any(|slot| slot.key.namespace_str() == space) {
                    drop_all(&mut self.map, space.to_owned());
                }
            }
            Bug::NsNeighbourLock => {
                let space = key.namespace_str();
                self.map.retain(|_, slot| {
                    let other = slot.key.namespace_str();
                    other == space || !space.starts_with(other) || slot.key.path() != key.path()
                });
            }
            Bug::VersionRestarts => drop(self.counters.remove(&at)),
            _ => {}
        }
        self.cached.clear();
        if let Some(slot) = gone {
            self.ghosts.push(slot.key.clone());
            self.folders.push(slot.key.clone());
            self.graves.insert(at, slot);
        }
    }

    fn bytes(&self) -> u64 {
        self.leaked + self.map.values().map(|slot| slot.bytes.len() as u64 + 100).sum::<u64>()
    }
}

impl Broken {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { core, id: NEXT.fetch_add(1, Ordering::Relaxed), cache: Mutex::default() }
    }

    fn bug(&self) -> Bug {
        self.core.bug
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    fn look(&self, key: &Key) -> Option<Object> {
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
            return Some(Object { bytes, version: Version::from(slot.version) });
        }
        if bug == Bug::DeletedReturns
            && let Some(grave) = state.graves.get(&at)
            && grave.second != second()
        {
            return Some(Object { bytes: grave.bytes.clone(), version: grave.version.into() });
        }
        if bug == Bug::AbsentIsEmpty
            && !state.map.contains_key(&at)
            && state.map.keys().any(|other| other.starts_with(&format!("{at}/")))
        {
            return Some(Object { bytes: Bytes::new(), version: 0.into() });
        }
        let slot = state.map.get(&at)?;
        if (bug == Bug::EmptyIsMissing && slot.bytes.is_empty())
            || (bug == Bug::Expires && slot.second != second())
            || (bug == Bug::MetaHidden && key.path().ends_with(".meta"))
        {
            return None;
        }
        let fresh = slot.written.elapsed() < Duration::from_micros(400);
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
            (Bug::StaleByHandle, Some(old)) if fresh && slot.by != self.id => bytes = old.clone(),
            (Bug::VersionLater, Some(old)) if fresh && state.reads.is_multiple_of(2) => {
                bytes = old.clone()
            }
            _ => {}
        }
        let object = Object { bytes, version: state.version(bug, slot, self.id) };
        drop(state);
        if bug == Bug::TickCache {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert(at, (Some(object.clone()), Instant::now()));
        }
        Some(object)
    }

    /// Checks every expectation; gives the key to name when one fails.
    fn conflict(&self, state: &State, steps: &[Vec<Change>]) -> Option<(usize, Key)> {
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
    fn remains(&self, state: &mut State, steps: &[Vec<Change>], failed: usize, key: &Key) -> Error {
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

    fn refuse(&self, state: &State, change: &Change) -> Option<Error> {
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
    fn distort(&self, mut steps: Vec<Vec<Change>>) -> Vec<Vec<Change>> {
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
                            Change::Put { bytes, .. } => bytes.clone(),
                            Change::Delete { .. } => Bytes::new(),
                        })
                        .collect();
                    for (nth, change) in step.iter_mut().enumerate() {
                        if let Change::Put { bytes, .. } = change {
                            *bytes = values[(nth + 1) % values.len()].clone();
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

#[async_trait]
impl Storage for Broken {
    fn promises(&self) -> Promises {
        let written = self.bug() == Bug::PromisesChange && self.core.lock().last > 0;
        let atomic = !matches!(self.bug(), Bug::NoneNotAtomic | Bug::LaterStepsDone);
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
        let state = self.core.lock();
        let slot = state.map.get(&place(self.bug(), key));
        let (mut size, mut version) = (object.bytes.len() as u64, object.version);
        match self.bug() {
            Bug::SizeOfFirst => size = slot.map_or(0, |slot| slot.first_size),
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
                    Bug::MixedWrites if len > 100 && there => Some(bytes.slice(..half)),
                    Bug::TornCreate if !there && len > 100 => Some(bytes.slice(..half)),
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

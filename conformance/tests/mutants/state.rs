//! What a store with a planted bug keeps, and what its writes do to it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use larder::key::{Key, Namespace};
use larder::storage::{Change, Error, Expect, Version};

use crate::names::place;
use crate::table::Bug;

/// What all handles on one home share.
pub(crate) struct Core {
    pub(crate) bug: Bug,
    pub(crate) home: PathBuf,
    pub(crate) bound: Option<u64>,
    pub(crate) state: Mutex<State>,
    pub(crate) turn: AtomicBool,
    pub(crate) locks: Mutex<Vec<String>>,
}

#[derive(Default, Clone)]
pub(crate) struct State {
    pub(crate) map: BTreeMap<String, Slot>,
    pub(crate) last: u64,
    pub(crate) counters: HashMap<String, u64>,
    pub(crate) graves: HashMap<String, Slot>,
    pub(crate) ghosts: Vec<Key>,
    pub(crate) cached: HashMap<String, Vec<Key>>,
    pub(crate) folders: Vec<Key>,
    pub(crate) stuck: Vec<String>,
    pub(crate) failed: bool,
    pub(crate) full: bool,
    pub(crate) leaked: u64,
    pub(crate) reads: u64,
    pub(crate) last_write: Option<(String, String)>,
}

#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) key: Key,
    pub(crate) bytes: Bytes,
    pub(crate) version: u64,
    pub(crate) old: Option<Bytes>,
    pub(crate) first_size: u64,
    pub(crate) by: u64,
    pub(crate) stale: bool,
    pub(crate) writes: u64,
    pub(crate) written: Instant,
    pub(crate) second: u64,
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

pub(crate) fn second() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Long enough for another thread to get in between.
pub(crate) fn gap(micros: u64) {
    thread::sleep(Duration::from_micros(micros));
}

pub(crate) fn failure(what: &'static str) -> Error {
    Error::Other { backend: "mutant", source: what.into() }
}

impl State {
    pub(crate) fn version(&self, bug: Bug, slot: &Slot, handle: u64) -> Version {
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

    pub(crate) fn next_version(&mut self, bug: Bug, place: &str) -> u64 {
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
    pub(crate) fn holds(
        &self,
        bug: Bug,
        change: &Change,
        earlier: Option<&Change>,
        handle: u64,
    ) -> bool {
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

    pub(crate) fn carry_out(&mut self, bug: Bug, change: Change, handle: u64) {
        match change {
            Change::Put { key, bytes, expect } => {
                self.put(bug, key, bytes.into_bytes(), &expect, handle)
            }
            Change::Delete { key, .. } => self.delete(bug, &key),
        }
    }

    pub(crate) fn put(&mut self, bug: Bug, key: Key, bytes: Bytes, expect: &Expect, handle: u64) {
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

    pub(crate) fn delete(&mut self, bug: Bug, key: &Key) {
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

    pub(crate) fn bytes(&self) -> u64 {
        self.leaked + self.map.values().map(|slot| slot.bytes.len() as u64 + 100).sum::<u64>()
    }
}

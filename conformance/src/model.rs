//! The oracle: what a correct store may answer.
//!
//! The model is a set of possible worlds, each a `BTreeMap`. As long as every answer is determined
//! there is one. Where the contract allows two outcomes (a write that erred may have happened; an old
//! version may match again when the value is the same again) there are several, every later answer
//! must fit at least one of them, and those it does not fit are dropped. No world left is a violation.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use larder::key::{Key, Namespace, Prefix};
use larder::storage::{Cursor, Depth, Error, Object, Page, Result, Stat, Version};

use crate::bench::{show, show_key};
use crate::check::Outcome;
use crate::ensure;
use crate::report::{Failure, chain};

/// How many worlds are followed before a run is called inconclusive.
const MOST_WORLDS: usize = 4096;

/// What may be so.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    worlds: Vec<World>,
    /// Every version a key was seen at, and the value it stood for.
    seen: HashMap<Key, Vec<(Version, Bytes)>>,
    atomic: bool,
}

/// One state the store may be in.
#[derive(Debug, Clone, Default, PartialEq)]
struct World {
    objects: BTreeMap<Key, Bytes>,
    /// The versions known of values that were not written since.
    versions: HashMap<Key, Version>,
    /// Writes that may still take effect.
    pending: Vec<Vec<Vec<Change>>>,
}

/// A change whose expectation is worked out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) value: Option<Bytes>,
    pub(crate) wants: Wants,
}

/// An expectation and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wants {
    Anything,
    Absence,
    /// The version, and the value it was read with (none for a version nobody made). `own` when it
    /// was read of the very key.
    At {
        version: Version,
        bytes: Option<Bytes>,
        own: bool,
    },
}

/// What an error of a write may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is none: an error is a violation.
    Never,
    /// The write may have happened, in whole or as far as the contract allows, or not.
    NowOrNever,
    /// It may happen later as well, since its call was dropped.
    Later,
}

#[derive(Clone, Copy, PartialEq)]
enum Holds {
    Yes,
    No,
    Maybe,
}

enum Answer {
    Done,
    Conflict(Vec<Key>),
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Entry(Key, u64),
    Folder(Prefix),
}

impl Item {
    fn text(&self) -> &str {
        match self {
            Self::Entry(key, _) => key.as_str(),
            Self::Folder(folder) => folder.as_str(),
        }
    }
}

impl Model {
    pub(crate) fn new(atomic: bool) -> Self {
        Self { worlds: vec![World::default()], seen: HashMap::new(), atomic }
    }

    /// The store was opened anew and kept nothing.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.atomic);
    }

    /// What the key holds, if that is certain.
    pub(crate) fn value(&self, key: &Key) -> Option<&Bytes> {
        self.worlds.first()?.objects.get(key)
    }

    /// The version of a key as far as it is known, and its value.
    pub(crate) fn current(&self, key: &Key) -> Option<(Version, Bytes)> {
        let world = self.worlds.first()?;
        Some((world.versions.get(key)?.clone(), world.objects.get(key)?.clone()))
    }

    /// The first version the key was ever seen at.
    pub(crate) fn oldest(&self, key: &Key) -> Option<(Version, Bytes)> {
        self.seen.get(key)?.first().cloned()
    }

    /// Takes note of an answer to `get`.
    pub(crate) fn got(
        &mut self,
        key: &Key,
        answer: &Result<Option<Object>>,
        trouble: Trouble,
    ) -> Outcome {
        let found = match answer {
            Ok(found) => found.as_ref(),
            Err(error) if trouble != Trouble::Never => return self.read_trouble(error),
            Err(error) => return Err(unexpected("get", key, error)),
        };
        self.settle()?;
        let bytes = found.map(|object| object.bytes.bytes());
        let expected = self.value(key).cloned();
        self.worlds.retain(|world| world.objects.get(key) == bytes);
        ensure!(
            !self.worlds.is_empty(),
            "get {} gave {}, not {}",
            show_key(key),
            show(bytes.map(|bytes| &**bytes)),
            show(expected.as_deref())
        );
        match found {
            Some(object) => self.version(key, &object.version, Some(object.bytes.bytes())),
            None => Ok(()),
        }
    }

    /// Takes note of an answer to `stat`.
    pub(crate) fn statted(
        &mut self,
        key: &Key,
        answer: &Result<Option<Stat>>,
        trouble: Trouble,
    ) -> Outcome {
        let found = match answer {
            Ok(found) => found.as_ref(),
            Err(error) if trouble != Trouble::Never => return self.read_trouble(error),
            Err(error) => return Err(unexpected("stat", key, error)),
        };
        self.settle()?;
        let size = found.map(|stat| stat.size.bytes());
        let expected = self.value(key).map(|bytes| bytes.len());
        self.worlds.retain(|world| world.objects.get(key).map(|bytes| bytes.len() as u64) == size);
        ensure!(
            !self.worlds.is_empty(),
            "stat {} gave size {size:?}, not {expected:?}",
            show_key(key)
        );
        match found {
            Some(stat) => self.version(key, &stat.version, None),
            None => Ok(()),
        }
    }

    /// A version stands for one value, and stays as long as nothing is written.
    fn version(&mut self, key: &Key, version: &Version, bytes: Option<&Bytes>) -> Outcome {
        let before = self.worlds.first().and_then(|world| world.versions.get(key)).cloned();
        self.worlds.retain(|world| world.versions.get(key).is_none_or(|known| known == version));
        ensure!(
            !self.worlds.is_empty(),
            "the version of {} changed from {before:?} to {version:?} though nothing was written",
            show_key(key)
        );
        let seen = self.seen.entry(key.clone()).or_default();
        let held = seen.iter().find(|(old, _)| old == version).map(|(_, held)| held);
        // In a world where this version would stand for two values, something else must have happened.
        let value = bytes.or_else(|| self.worlds[0].objects.get(key)).cloned();
        self.worlds
            .retain(|world| held.is_none() || held == bytes.or_else(|| world.objects.get(key)));
        ensure!(
            !self.worlds.is_empty(),
            "{} has version {version:?} with {}, as it had with {}",
            show_key(key),
            show(value.as_deref()),
            show(held.map(|held| &**held))
        );
        for world in &mut self.worlds {
            world.versions.insert(key.clone(), version.clone());
        }
        if let (Some(bytes), false) = (bytes, seen.iter().any(|(old, _)| old == version)) {
            seen.push((version.clone(), bytes.clone()));
        }
        Ok(())
    }

    /// Takes note of an answer to `apply`. Says whether it was applied, if that is known.
    pub(crate) fn applied(
        &mut self,
        steps: &[Vec<Change>],
        answer: &Result<()>,
        trouble: Trouble,
    ) -> Result<(), Failure> {
        self.settle()?;
        let mut next = Vec::new();
        let mut allowed = Vec::new();
        for world in &self.worlds {
            for (worlds, outcome) in world.outcomes(steps, self.atomic)? {
                match (answer, &outcome) {
                    (Ok(()), Answer::Done) => next.extend(worlds),
                    (Err(Error::Conflict { key }), Answer::Conflict(keys))
                        if keys.contains(key) =>
                    {
                        next.extend(worlds);
                    }
                    (Ok(()) | Err(Error::Conflict { .. }), _) => {}
                    (Err(Error::Full { .. }), _) if trouble != Trouble::Never => {
                        next.push(world.clone());
                    }
                    (Err(_), _) if trouble == Trouble::NowOrNever => {
                        next.extend(world.partial(steps, self.atomic));
                        next.extend(worlds);
                    }
                    // Now is the earliest moment of later.
                    (Err(_), _) if trouble == Trouble::Later => next.push(world.awaiting(steps)),
                    (Err(_), _) => {}
                }
                allowed.push(outcome);
            }
        }
        dedup(&mut next)?;
        if !next.is_empty() {
            self.worlds = next;
            return Ok(());
        }
        let allowed: Vec<_> = allowed.iter().map(Answer::show).collect();
        let given = match answer {
            Ok(()) => "succeeded".into(),
            Err(Error::Conflict { key }) => format!("conflicts on {}", show_key(key)),
            Err(error) => format!("failed: {}", chain(error)),
        };
        Err(Failure::new(format!("apply {given}, but it should have {}", allowed.join(" or "))))
    }

    /// Takes note of a page.
    pub(crate) fn listed(
        &mut self,
        prefix: &Prefix,
        depth: Depth,
        after: Option<&Cursor>,
        answer: &Result<Page>,
        trouble: Trouble,
    ) -> Outcome {
        let page = match answer {
            Ok(page) => page,
            Err(error) if trouble != Trouble::Never => return self.read_trouble(error),
            Err(error) => {
                return Err(Failure::new(format!("list {prefix:?} failed: {}", chain(error))));
            }
        };
        self.settle()?;
        let first = self.worlds[0].listing(prefix, depth, after);
        self.worlds.retain(|world| {
            let expected = world.listing(prefix, depth, after);
            fits(page, &expected, |next| world.listing(prefix, depth, Some(next)))
        });
        ensure!(
            !self.worlds.is_empty(),
            "list {prefix:?} {depth:?} after {after:?} gave {page:?}, where this was left to list: {first:?}"
        );
        Ok(())
    }

    /// Takes note of all the pages of a folder, put together.
    pub(crate) fn walked(
        &mut self,
        prefix: &Prefix,
        depth: Depth,
        walked: &crate::bench::Listing,
    ) -> Outcome {
        self.settle()?;
        let first = self.worlds[0].listing(prefix, depth, None);
        self.worlds.retain(|world| {
            let expected = world.listing(prefix, depth, None);
            let (mut entries, mut folders) = (walked.entries.iter(), walked.folders.iter());
            let all = expected.iter().all(|item| match item {
                Item::Entry(key, size) => {
                    entries.next().is_some_and(|entry| entry.key == *key && entry.size == *size)
                }
                Item::Folder(folder) => folders.next() == Some(folder),
            });
            all && entries.next().is_none() && folders.next().is_none()
        });
        ensure!(
            !self.worlds.is_empty(),
            "listing {prefix:?} {depth:?} page by page gave {:?} and {:?}, not {first:?}",
            walked.entries,
            walked.folders
        );
        Ok(())
    }

    /// Takes note of the namespaces.
    pub(crate) fn spaces(&mut self, answer: &Result<Vec<Namespace>>, trouble: Trouble) -> Outcome {
        let found = match answer {
            Ok(found) => found,
            Err(error) if trouble != Trouble::Never => return self.read_trouble(error),
            Err(error) => {
                return Err(Failure::new(format!("namespaces failed: {}", chain(error))));
            }
        };
        self.settle()?;
        let first = self.worlds[0].namespaces();
        self.worlds.retain(|world| world.namespaces() == *found);
        ensure!(!self.worlds.is_empty(), "namespaces gave {found:?}, not {first:?}");
        Ok(())
    }

    /// Where trouble is expected, a read may say so; what it may not do is blame an expectation.
    fn read_trouble(&self, error: &Error) -> Outcome {
        ensure!(
            !matches!(error, Error::Conflict { .. }),
            "a read failed with a conflict: {}",
            chain(error)
        );
        Ok(())
    }

    /// Lets pending writes take effect, as far as they may have got, or not.
    fn settle(&mut self) -> Outcome {
        land(&mut self.worlds, self.atomic)
    }
}

/// Adds every world that pending writes may make of these before the next call: whole batches where
/// they are atomic, else one change after the other, around whatever was called since.
fn land(worlds: &mut Vec<World>, atomic: bool) -> Outcome {
    let mut at = 0;
    while at < worlds.len() {
        for nth in 0..worlds[at].pending.len() {
            for world in worlds[at].landings(nth, atomic)? {
                if !worlds.contains(&world) {
                    worlds.push(world);
                }
            }
        }
        at += 1;
        enough(worlds)?;
    }
    Ok(())
}

fn enough(worlds: &[World]) -> Outcome {
    if worlds.len() > MOST_WORLDS {
        return Err(Failure::inconclusive("too many writes of unknown outcome"));
    }
    Ok(())
}

fn dedup(worlds: &mut Vec<World>) -> Outcome {
    if worlds.len() > 1 {
        let mut kept: Vec<World> = Vec::with_capacity(worlds.len());
        for world in worlds.drain(..) {
            if !kept.contains(&world) {
                kept.push(world);
            }
        }
        *worlds = kept;
    }
    enough(worlds)
}

fn unexpected(call: &str, key: &Key, error: &Error) -> Failure {
    Failure::new(format!("{call} {} failed: {}", show_key(key), chain(error)))
}

impl Answer {
    fn show(&self) -> String {
        match self {
            Self::Done => "succeeded".into(),
            Self::Conflict(keys) => {
                let keys: Vec<_> = keys.iter().map(show_key).collect();
                format!("conflicted on {}", keys.join(" or "))
            }
        }
    }
}

impl World {
    /// Where a batch may lead: the worlds it may leave behind, for each answer it may give.
    fn outcomes(
        &self,
        steps: &[Vec<Change>],
        atomic: bool,
    ) -> Result<Vec<(Vec<Self>, Answer)>, Failure> {
        let mut reached = vec![self.clone()];
        // The worlds a conflict may leave: nothing done, or whole steps before the failing one.
        let mut left = reached.clone();
        let mut outcomes = Vec::new();
        for (nth, step) in steps.iter().enumerate() {
            if nth > 0 && !atomic {
                // Writes that were dropped may land between two steps.
                land(&mut reached, atomic)?;
                left.extend(reached.iter().cloned());
            }
            let mut next = Vec::new();
            for world in reached {
                let failing = |holds: Holds| {
                    let changes = step.iter().filter(|change| world.holds(change) == holds);
                    changes.map(|change| change.key.clone()).collect::<Vec<_>>()
                };
                let (no, maybe) = (failing(Holds::No), failing(Holds::Maybe));
                let failed = !no.is_empty();
                if failed || !maybe.is_empty() {
                    let keys = no.into_iter().chain(maybe).collect();
                    outcomes.push((left.clone(), Answer::Conflict(keys)));
                }
                if !failed {
                    let mut world = world;
                    step.iter().for_each(|change| world.carry_out(change));
                    next.push(world);
                }
            }
            reached = next;
        }
        if !reached.is_empty() {
            outcomes.push((reached, Answer::Done));
        }
        Ok(outcomes)
    }

    /// This world, with a write that may still take effect.
    fn awaiting(&self, steps: &[Vec<Change>]) -> Self {
        let mut world = self.clone();
        let steps: Vec<_> = steps.iter().filter(|step| !step.is_empty()).cloned().collect();
        if !steps.is_empty() {
            world.pending.push(steps);
        }
        world
    }

    /// The worlds after the next thing that a pending write does, if it can do any.
    fn landings(&self, nth: usize, atomic: bool) -> Result<Vec<Self>, Failure> {
        let mut rest = self.clone();
        let mut steps = rest.pending.remove(nth);
        if atomic {
            let outcomes = rest.outcomes(&steps, atomic)?;
            return Ok(outcomes.into_iter().flat_map(|(worlds, _)| worlds).collect());
        }
        let step = steps.remove(0);
        // An expectation that fails ends the write.
        if step.iter().any(|change| self.holds(change) == Holds::No) {
            return Ok(vec![rest]);
        }
        let next = (0..step.len()).map(|chosen| {
            let mut world = rest.clone();
            let mut left = step.clone();
            world.carry_out(&left.remove(chosen));
            let left = std::iter::once(left).chain(steps.iter().cloned()).collect::<Vec<_>>();
            world.awaiting(&left)
        });
        Ok(next.collect())
    }

    /// What trouble other than a conflict may leave of a batch: some steps, the last in part.
    fn partial(&self, steps: &[Vec<Change>], atomic: bool) -> Vec<Self> {
        let mut left = vec![self.clone()];
        if atomic {
            return left;
        }
        let mut reached = self.clone();
        for step in steps {
            if step.iter().any(|change| reached.holds(change) == Holds::No) {
                break;
            }
            // Every subset of the step; steps of more than eight changes are cut in order only.
            let subsets = if step.len() <= 8 { 1_u32 << step.len() } else { 0 };
            for chosen in 0..subsets {
                let mut world = reached.clone();
                let taken = step.iter().enumerate().filter(|(nth, _)| chosen >> nth & 1 == 1);
                taken.for_each(|(_, change)| world.carry_out(change));
                left.push(world);
            }
            step.iter().for_each(|change| reached.carry_out(change));
            left.push(reached.clone());
        }
        left
    }

    fn holds(&self, change: &Change) -> Holds {
        let current = self.objects.get(&change.key);
        let sure = |held: bool| if held { Holds::Yes } else { Holds::No };
        match &change.wants {
            Wants::Anything => Holds::Yes,
            Wants::Absence => sure(current.is_none()),
            Wants::At { version, bytes, own } => {
                let Some(current) = current else { return Holds::No };
                let known = self.versions.get(&change.key).filter(|_| *own);
                if known == Some(version) {
                    Holds::Yes
                } else if bytes.as_ref() == Some(current) {
                    // Versions may be made from the value, so the same value may match again.
                    Holds::Maybe
                } else {
                    Holds::No
                }
            }
        }
    }

    fn carry_out(&mut self, change: &Change) {
        self.versions.remove(&change.key);
        match &change.value {
            Some(value) => self.objects.insert(change.key.clone(), value.clone()),
            None => self.objects.remove(&change.key),
        };
    }

    /// What is left to list behind a cursor, in order.
    fn listing(&self, prefix: &Prefix, depth: Depth, after: Option<&Cursor>) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for (key, value) in &self.objects {
            if !prefix.contains(key) || after.is_some_and(|after| after.passed(key)) {
                continue;
            }
            let folder = match depth {
                Depth::All => None,
                Depth::Children => prefix.child_towards(key),
            };
            match folder {
                Some(folder) => {
                    let item = Item::Folder(folder);
                    if items.last() != Some(&item) {
                        items.push(item);
                    }
                }
                None => items.push(Item::Entry(key.clone(), value.len() as u64)),
            }
        }
        items
    }

    fn namespaces(&self) -> Vec<Namespace> {
        let firsts = self.objects.keys().filter_map(|key| key.as_str().split('/').next());
        let mut found: Vec<_> = firsts.filter_map(Namespace::parse).collect();
        found.sort();
        found.dedup();
        found
    }
}

/// Whether a page may be an answer where these items were left: a beginning of them, with a cursor
/// behind which exactly the others lie, or all of them.
fn fits(page: &Page, expected: &[Item], behind: impl FnOnce(&Cursor) -> Vec<Item>) -> bool {
    let entries = page.entries.iter().map(|entry| Item::Entry(entry.key.clone(), entry.size));
    let folders = page.folders.iter().map(|folder| Item::Folder(folder.clone()));
    let mut items: Vec<_> = entries.chain(folders).collect();
    // Only the merge of the two kinds; the order of each is checked as given.
    items.sort_by(|one, two| one.text().cmp(two.text()));
    let ordered = page.entries.is_sorted_by(|one, two| one.key < two.key)
        && page.folders.is_sorted_by(|one, two| one < two);
    let Some(rest) = expected.strip_prefix(&*items) else { return false };
    ordered
        && match &page.next {
            None => rest.is_empty(),
            Some(next) => behind(next) == rest,
        }
}

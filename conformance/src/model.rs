//! The oracle: what a correct store may answer.
//!
//! The model is a set of possible worlds, each a `BTreeMap`. As long as every answer is determined
//! there is one. Where the contract allows two outcomes (a write that erred may have happened; an old
//! version may match again when the value is the same again) there are several, every later answer
//! must fit at least one of them, and those it does not fit are dropped. No world left is a violation.

mod listing;
#[cfg(test)]
mod tests;
mod world;

use std::collections::HashMap;

use bytes::Bytes;
use larder::key::{Key, Namespace, Prefix};
use larder::storage::{Cursor, Depth, Error, Object, Page, Result, Stat, Version};

use crate::bench::{show, show_key};
use crate::check::Outcome;
use crate::ensure;
use crate::report::{Failure, chain};
use listing::{Item, fits};
use world::{Answer, World, dedup, land};

/// What may be so.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    worlds: Vec<World>,
    /// Every version a key was seen at, and the value it stood for.
    seen: HashMap<Key, Vec<(Version, Bytes)>>,
    atomic: bool,
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

fn unexpected(call: &str, key: &Key, error: &Error) -> Failure {
    Failure::new(format!("{call} {} failed: {}", show_key(key), chain(error)))
}

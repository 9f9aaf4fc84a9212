//! Carrying out batches: many that arrive together become one record of the journal.
//!
//! A batch is packed on the thread that brings it, without locks, and queued. Whoever gets the journal
//! writes everything that waits, in order: expectations are checked against what the batches before
//! it leave, all that hold go into one record, one sync covers them, and only then can they be seen.
//! Those who waited find their answer when they get the journal in turn.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::checkpoint::is_due;
use super::index::{Place, Slot};
use super::journal::Journal;
use super::member::{Packed, pack};
use super::record::Draft;
use super::store::Store;
use crate::key::Key;
use crate::storage::{Batch, Change, Durability, Error, Expect, Result, Version};
use crate::zipfile::Moment;

/// The most bytes of batches that are written at once, so that a crowd of large ones does not pile up
/// in memory.
const GROUP_BYTES: u64 = 16 << 20;

/// A batch that waits, and then its outcome.
#[derive(Debug)]
pub(super) struct Ticket {
    changes: Vec<Prepared>,
    bytes: u64,
    sync: bool,
    outcome: Mutex<Option<Result<()>>>,
}

#[derive(Debug)]
struct Prepared {
    key: Key,
    expect: Expect,
    /// `None` to delete.
    new: Option<Packed>,
}

impl Ticket {
    pub(super) fn new(batch: Batch, durability: Durability) -> Self {
        let (bytes, now) = (batch.weight(), now());
        let changes = batch.into_steps().into_iter().flatten().map(|change| match change {
            Change::Put { key, bytes, expect } => {
                let new = Some(pack(&key, &bytes, now));
                Prepared { key, expect, new }
            }
            Change::Delete { key, expect } => Prepared { key, expect, new: None },
        });
        let changes = changes.collect();
        Self { changes, bytes, sync: durability == Durability::Full, outcome: Mutex::new(None) }
    }

    fn settle(&self, outcome: Result<()>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    fn outcome(&self) -> Option<Result<()>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The date of new members, as the archive records it for people; nothing depends on it.
#[expect(clippy::disallowed_methods, reason = "a date for people, which no plan ever sees")]
fn now() -> Moment {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Moment::new(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

impl Store {
    /// Carries out a batch, together with others that wait.
    pub(super) fn commit(&self, ticket: Ticket) -> Result<()> {
        let ticket = Arc::new(ticket);
        self.queue().push(Arc::clone(&ticket));
        loop {
            let mut journal = self.journal();
            if let Some(outcome) = ticket.outcome() {
                return outcome;
            }
            let group = self.next_group();
            self.write(&mut journal, &group);
        }
    }

    /// The batches that have waited longest.
    fn next_group(&self) -> Vec<Arc<Ticket>> {
        let mut queue = self.queue();
        let mut bytes = 0;
        let fits = |ticket: &&Arc<Ticket>| {
            bytes += ticket.bytes;
            bytes <= GROUP_BYTES
        };
        let count = queue.iter().take_while(fits).count().max(1).min(queue.len());
        queue.drain(..count).collect()
    }

    /// Writes some batches at once, or one after the other if that fails.
    fn write(&self, journal: &mut Journal, group: &[Arc<Ticket>]) {
        let mut after = After { store: self, versions: HashMap::new() };
        let mut accepted = Vec::with_capacity(group.len());
        for ticket in group {
            match after.take(ticket) {
                Ok(()) => accepted.push(ticket),
                Err(error) => ticket.settle(Err(error)),
            }
        }
        if accepted.is_empty() {
            return;
        }
        match self.record(journal, &accepted) {
            Ok(()) => accepted.iter().for_each(|ticket| ticket.settle(Ok(()))),
            // One of them may be too large for a disk that has room for the others.
            Err(_) if accepted.len() > 1 => {
                for ticket in accepted {
                    self.write(journal, std::slice::from_ref(ticket));
                }
            }
            Err(error) => accepted[0].settle(Err(match error {
                Error::Full { backend, .. } => Error::Full { backend, needed: accepted[0].bytes },
                other => other,
            })),
        }
    }

    /// Writes a record, and then lets its changes be seen.
    fn record(&self, journal: &mut Journal, accepted: &[&Arc<Ticket>]) -> Result<()> {
        let changes = || accepted.iter().flat_map(|ticket| &ticket.changes);
        let mut draft = Draft::new();
        let mut members = Vec::new();
        for change in changes() {
            match &change.new {
                Some(packed) => members.push(draft.put(change.key.as_str(), packed)),
                None => draft.delete(change.key.as_str()),
            }
        }
        let sync = accepted.iter().any(|ticket| ticket.sync);
        let base = self.index().archive.fingerprint;
        let written = journal.append(draft, &base, sync, true)?;
        let mut members = members.into_iter();
        let mut index = self.index_mut();
        index.segments.entry(written.number).or_insert(written.file);
        for change in changes() {
            match (&change.new, change.new.as_ref().and_then(|_| members.next())) {
                (Some(packed), Some(at)) => {
                    let place = Place { file: written.number, header: written.at + at };
                    index.put(change.key.clone(), Slot::new(place, packed));
                }
                _ => index.delete(change.key.as_str()),
            }
        }
        self.due.store(is_due(journal, &index), Ordering::Relaxed);
        Ok(())
    }
}

/// What the batches accepted so far leave behind.
struct After<'a> {
    store: &'a Store,
    versions: HashMap<&'a Key, Option<Version>>,
}

impl<'a> After<'a> {
    /// Accepts a batch if all its expectations hold.
    fn take(&mut self, ticket: &'a Ticket) -> Result<()> {
        let mut own: HashMap<&'a Key, Option<Version>> = HashMap::new();
        for change in &ticket.changes {
            let key = &change.key;
            let known = own.get(key).or_else(|| self.versions.get(key));
            let holds = match (&change.expect, known) {
                (Expect::Any, _) => true,
                (Expect::Absent, Some(version)) => version.is_none(),
                (Expect::Absent, None) => !self.store.index().slots().contains_key(key),
                (Expect::At(expected), Some(version)) => version.as_ref() == Some(expected),
                (Expect::At(expected), None) => self.store.version(key)?.as_ref() == Some(expected),
            };
            if !holds {
                return Err(Error::Conflict { key: key.clone() });
            }
            own.insert(key, change.new.as_ref().map(|packed| Version::of_sha256(packed.hash)));
        }
        self.versions.extend(own);
        Ok(())
    }
}

//! Carrying out a batch. In which order things reach the disk is told in the module above.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::Disk;
use super::fail::failed;
use super::fold::holds_value;
use super::locks::Share;
use super::temp::Temp;
use super::tree::{Made, Tries, VALUE, open_folder, remove_hollow, split};
use crate::key::Key;
use crate::storage::{Batch, Body, Change, Error, Expect, Result, Version};

/// How many new files are open at once between being written and being synced.
const GROUP: usize = 32;

impl Disk {
    pub(super) fn carry_out(&self, batch: &Batch) -> Result<()> {
        let outcome = self.steps(batch);
        if outcome.is_err() {
            // The folders made for files that never came. The error to tell is the first one.
            let _share = self.locks.tree();
            for (key, _) in batch.steps().iter().flat_map(|step| puts(step)) {
                let _ = self.tree.prune(split(key.as_str()).0);
            }
        }
        outcome.map_err(|error| match error {
            Error::Full { backend, .. } => Error::Full { backend, needed: size(batch) },
            other => other,
        })
    }

    fn steps(&self, batch: &Batch) -> Result<()> {
        self.foresee_conflicts(batch)?;
        let mut staged = Staged::write(self, batch)?.into_iter();
        for step in batch.steps() {
            let new: Vec<Staged<'_>> = staged.by_ref().take(puts(step).count()).collect();
            self.step(step, new)?;
        }
        Ok(())
    }

    /// Spares a batch that is late already the trouble of writing files. The check that counts comes
    /// under the locks.
    fn foresee_conflicts(&self, batch: &Batch) -> Result<()> {
        let mut left_by_earlier: BTreeMap<&Key, Option<&Body>> = BTreeMap::new();
        for step in batch.steps() {
            for change in step {
                let Some(left) = left_by_earlier.get(change.key()) else {
                    self.check(change)?;
                    continue;
                };
                let holds = match (change.expect(), left) {
                    (Expect::Any, _) | (Expect::Absent, None) => true,
                    (Expect::Absent, Some(_)) | (Expect::At(_), None) => false,
                    (Expect::At(expected), Some(bytes)) => {
                        *expected == Version::of_value(bytes.bytes().clone())
                    }
                };
                if !holds {
                    return Err(Error::Conflict { key: change.key().clone() });
                }
            }
            for change in step {
                match change {
                    Change::Put { key, bytes, .. } => left_by_earlier.insert(key, Some(bytes)),
                    Change::Delete { key, .. } => left_by_earlier.insert(key, None),
                };
            }
        }
        Ok(())
    }

    fn check(&self, change: &Change) -> Result<()> {
        let key = change.key();
        let holds = match change.expect() {
            Expect::Any => true,
            Expect::Absent => self.tree.value(key.as_str())?.is_none(),
            Expect::At(version) => match self.tree.value(key.as_str())? {
                Some(value) => {
                    let found =
                        Version::of_reader(value.file).map_err(failed("read", key.as_str()))?;
                    found.0 == *version
                }
                None => false,
            },
        };
        if holds { Ok(()) } else { Err(Error::Conflict { key: key.clone() }) }
    }

    fn step(&self, step: &[Change], staged: Vec<Staged<'_>>) -> Result<()> {
        // Without locks, since making folders syncs them; whoever removes one before it is used
        // only makes work. A value in the way is left to `place`.
        let mut made = BTreeMap::new();
        for (key, _) in puts(step) {
            let parent = split(key.as_str()).0;
            if !made.contains_key(parent)
                && let Made::Folder(folder) = self.tree.make_folder(parent, None)?
                && made.len() < GROUP
            {
                made.insert(parent, folder);
            }
        }
        let mut touched = BTreeSet::new();
        {
            let _keys = self
                .locks
                .keys(step.iter().map(|change| change.key().as_str()))
                .map_err(failed("lock", ""))?;
            let mut lock = self.locks.tree().map_err(failed("lock", ""))?;
            for change in step {
                self.check(change)?;
            }
            for ((key, _), staged) in puts(step).zip(staged) {
                let made = made.get(split(key.as_str()).0);
                touched.insert(self.place(staged, key.as_str(), made, &mut lock)?);
            }
            let mut left = BTreeSet::new();
            for change in step {
                if let Change::Delete { key, .. } = change {
                    left.insert(self.remove(key.as_str())?);
                }
            }
            for folder in left.iter().rev() {
                touched.insert(self.tidy(folder, &mut lock)?);
            }
        }
        if self.tree.syncs() {
            for folder in &touched {
                self.tree.sync_changes(folder)?;
            }
        }
        Ok(())
    }

    /// Puts a new file in the place of its key, whose folder was perhaps made before. Returns the
    /// folder it is in.
    fn place(
        &self,
        mut staged: Staged<'_>,
        key: &str,
        made: Option<&OwnedFd>,
        lock: &mut Share<'_>,
    ) -> Result<String> {
        let (parent, name) = split(key);
        let mut tries = Tries::default();
        loop {
            if tries.next(key)? > 10 {
                // Alone, nobody removes the folders made here.
                lock.alone().map_err(failed("lock", key))?;
            }
            let folder = match self.tree.make_folder(parent, made)? {
                Made::Folder(folder) => folder,
                Made::Clash(value) => {
                    lock.alone().map_err(failed("lock", key))?;
                    self.tree.unfold(&value, self.temp()?)?;
                    continue;
                }
            };
            match staged.move_to(folder.as_fd(), name) {
                Ok(()) => return Ok(parent.to_owned()),
                Err(Errno::NOENT) => continue,
                Err(Errno::ISDIR) => {}
                Err(error) => return Err(failed("write", key)(error)),
            }
            let inside = match open_folder(&folder, name) {
                Ok(inside) => inside,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(failed("write", key)(error)),
            };
            if !holds_value(inside.as_fd()).map_err(failed("write", key))?
                && remove_hollow(folder.as_fd(), name).map_err(failed("write", key))?
            {
                continue;
            }
            self.tree.sync_found(folder.as_fd(), inside.as_fd(), key)?;
            match staged.move_to(inside.as_fd(), VALUE) {
                Ok(()) => return Ok(key.to_owned()),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(failed("write", key)(error)),
            }
        }
    }

    /// Removes the value of a key, if it is there. Returns the folder it was in.
    fn remove(&self, key: &str) -> Result<String> {
        let (parent, name) = split(key);
        let Some(folder) = self.tree.folder(parent)? else { return Ok(parent.to_owned()) };
        match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(parent.to_owned()),
            // The second is what POSIX says, but it can also be meant.
            Err(Errno::ISDIR) => {}
            Err(error) if error != Errno::PERM => return Err(failed("delete", key)(error)),
            Err(error) if open_folder(&folder, name).is_err() => {
                return Err(failed("delete", key)(error));
            }
            Err(_) => {}
        }
        let inside = match open_folder(&folder, name) {
            Ok(inside) => inside,
            Err(Errno::NOENT) => return Ok(parent.to_owned()),
            Err(error) => return Err(failed("delete", key)(error)),
        };
        match rustix::fs::unlinkat(inside, VALUE, AtFlags::empty()) {
            Ok(()) => Ok(key.to_owned()),
            Err(Errno::NOENT) => Ok(parent.to_owned()),
            Err(error) => Err(failed("delete", key)(error)),
        }
    }

    /// Removes folders that a deletion left empty, and makes a plain value of a folder in which only
    /// its own value is left. Returns the folder where it stopped.
    fn tidy(&self, folder: &str, lock: &mut Share<'_>) -> Result<String> {
        let stopped = self.tree.prune(folder)?;
        if !stopped.is_empty() && self.tree.lonely_value(stopped)? {
            lock.alone().map_err(failed("lock", stopped))?;
            // Without room for it the value stays where it is.
            if let Ok(temp) = self.temp() {
                self.tree.fold(stopped, temp)?;
            }
        }
        Ok(stopped.to_owned())
    }
}

/// A new file that waits to be put in its place; removed if that never happens.
struct Staged<'a> {
    temp: &'a Temp,
    name: String,
    moved: bool,
}

impl<'a> Staged<'a> {
    /// Writes the new files of all steps, in order, and brings them to disk. A disk that is full is
    /// found out here, before anything can be seen.
    fn write(disk: &'a Disk, batch: &Batch) -> Result<Vec<Self>> {
        let puts: Vec<_> = batch.steps().iter().flat_map(|step| puts(step)).collect();
        if puts.is_empty() {
            return Ok(Vec::new());
        }
        let temp = disk.temp()?;
        let mut staged = Vec::with_capacity(puts.len());
        for group in puts.chunks(GROUP) {
            let mut files = Vec::with_capacity(group.len());
            for (key, bytes) in group {
                let new = Self { temp, name: temp.name(), moved: false };
                let file = new
                    .temp
                    .create(&new.name)
                    .and_then(|mut file| file.write_all(bytes).map(|()| file))
                    .map_err(failed("write", key.as_str()));
                staged.push(new);
                files.push((file?, key));
            }
            if disk.tree.syncs() {
                for (file, key) in &files {
                    file.sync_all().map_err(failed("sync", key.as_str()))?;
                }
            }
        }
        Ok(staged)
    }

    fn move_to(&mut self, folder: impl AsFd, name: &str) -> Result<(), Errno> {
        rustix::fs::renameat(self.temp.folder(), &*self.name, folder, name)?;
        self.moved = true;
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.moved {
            self.temp.remove(&self.name);
        }
    }
}

fn puts(step: &[Change]) -> impl Iterator<Item = (&Key, &Body)> {
    step.iter().filter_map(|change| match change {
        Change::Put { key, bytes, .. } => Some((key, bytes)),
        Change::Delete { .. } => None,
    })
}

fn size(batch: &Batch) -> u64 {
    batch.steps().iter().flat_map(|step| puts(step)).map(|(_, bytes)| bytes.len() as u64).sum()
}

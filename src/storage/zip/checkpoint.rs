//! Checkpoints: the next archive is written beside the present one and put in its place.
//!
//! 1. The journal goes on in a new part, so that everything before it makes a *cut*: the members to keep.
//! 2. The next archive is written and brought to disk, while reads and writes go on.
//! 3. Its fingerprint is noted in the journal, it is moved over the present one, and the index takes the
//!    new places over.
//! 4. The parts before the cut are removed.
//!
//! Between any two of these, opening the store finds the one archive or the other, and in the journal
//! what is missing from it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, fchown};
use std::sync::{Arc, PoisonError};

use super::archive::{self, Archive, header_of};
use super::index::{ARCHIVE, Index, Place, Slot};
use super::journal::Journal;
use super::member::local;
use super::paths::remove;
use super::record::Draft;
use super::store::Store;
use super::{corrupt, failed};
use crate::key::Key;
use crate::storage::Result;
use crate::zipfile::{Attributes, Header, Member, write_end};

/// Below this much in the journal and in garbage, copying the archive is not worth the while.
const LEAST_BYTES: u64 = 4 << 20;
/// An archive up to this size may be written anew now and then whatever is new in it.
const SMALL_BYTES: u64 = 64 << 20;

/// What the next archive is to hold.
struct Cut {
    archive: Arc<Archive>,
    /// Where the members to keep start in the archive, in order.
    kept: Vec<u64>,
    /// The members in the journal, in order.
    new: Vec<(Key, Slot, Arc<File>)>,
    /// Parts of the journal with a lower number are covered.
    up_to: u64,
    garbage: u64,
}

/// Where members are in the next archive.
struct Moved {
    runs: Vec<Run>,
    /// Those that came from the journal, in order.
    new: Vec<(Place, u64)>,
}

/// Members that stay side by side.
struct Run {
    from: u64,
    to: u64,
    /// Where it starts in the next archive.
    at: u64,
}

impl Moved {
    fn place(&self, place: Place) -> Option<u64> {
        if place.file == ARCHIVE {
            let nth = self.runs.partition_point(|run| run.to <= place.header);
            let run = self.runs.get(nth).filter(|run| run.from <= place.header)?;
            return Some(place.header - run.from + run.at);
        }
        let nth = self.new.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(self.new[nth].1)
    }
}

/// [`Store::is_due`], for who has the locks.
pub(super) fn is_due(journal: &Journal, index: &Index) -> bool {
    journal.bytes() + index.garbage > LEAST_BYTES + index.archive.bytes / 2
}

impl Store {
    /// Whether so much has been written that a checkpoint costs little in comparison.
    pub(super) fn is_due(&self) -> bool {
        let journal = self.journal();
        is_due(&journal, &self.index())
    }

    /// Whether a checkpoint is not too much to ask for every now and then.
    pub(super) fn is_due_at_leisure(&self) -> bool {
        let journal = self.journal();
        let index = self.index();
        let size = index.archive.bytes;
        !journal.is_empty() && (size <= SMALL_BYTES || journal.bytes() + index.garbage > size / 32)
    }

    /// Brings the archive up to date.
    pub(super) fn checkpoint(&self) -> Result<()> {
        let _one = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(cut) = self.cut()? else { return Ok(()) };
        let path = self.paths.next();
        let written = self.write_next(&cut);
        let replaced = written.and_then(|(next, moved)| self.replace(&cut, next, &moved));
        if replaced.is_err() {
            // Worth nothing, but in the way of what may need the room.
            let _ = remove(&path);
        }
        replaced
    }

    fn cut(&self) -> Result<Option<Cut>> {
        let mut journal = self.journal();
        let base = {
            let index = self.index();
            if journal.is_empty() && index.archive.bytes > 0 {
                return Ok(None);
            }
            let untouched = index.archive.check_untouched(&self.paths.archive);
            untouched.map_err(|error| journal.give_up(error))?;
            index.archive.fingerprint
        };
        let up_to = journal.rotate(&base, self.syncs())?;
        let index = self.index();
        let mut kept = Vec::with_capacity(index.slots().len());
        let mut new = Vec::new();
        for (key, slot) in index.slots() {
            if slot.place.file == ARCHIVE {
                kept.push(slot.place.header);
            } else if let Some(file) = index.file(slot.place) {
                new.push((key.clone(), slot.clone(), file));
            }
        }
        let (archive, garbage) = (Arc::clone(&index.archive), index.garbage);
        drop(index);
        drop(journal);
        kept.sort_unstable();
        new.sort_unstable_by_key(|(_, slot, _)| slot.place);
        Ok(Some(Cut { archive, kept, new, up_to, garbage }))
    }

    fn write_next(&self, cut: &Cut) -> Result<(Archive, Moved)> {
        let path = self.paths.next();
        let open = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = open.map_err(failed("make", &path))?;
        archive::take(&file, &path)?;
        let old = cut.archive.read_directory().map_err(failed("read", &self.paths.archive))?;
        let members = cut.archive.members(&old);
        let members =
            members.map_err(|why| corrupt(self.paths.archive.display().to_string(), why))?;
        let write = || {
            let mut writer = Writer::new(&file);
            let runs = writer.keep(cut, &members)?;
            let new = writer.add(cut)?;
            let count = writer.finish(&cut.archive.comment)?;
            keep_owner(&cut.archive.file, &file)?;
            // Also where nobody waits for the disk: an archive that is cut short is worse than a
            // few batches too few. One without members has nothing to lose.
            if self.syncs() || count > 0 {
                file.sync_all()?;
            }
            io::Result::Ok(Moved { runs, new })
        };
        let moved = write().map_err(failed("write", &path))?;
        Ok((Archive::read(file, &path)?, moved))
    }

    fn replace(&self, cut: &Cut, next: Archive, moved: &Moved) -> Result<()> {
        let (path, sync) = (&self.paths.archive, self.syncs());
        let mut journal = self.journal();
        let untouched = cut.archive.check_untouched(path);
        untouched.map_err(|error| journal.give_up(error))?;
        if journal.current().is_some() {
            let mut draft = Draft::new();
            draft.moved(&next.fingerprint);
            journal.append(draft, &cut.archive.fingerprint, sync, false)?;
        }
        fs::rename(self.paths.next(), path).map_err(failed("replace", path))?;
        {
            let mut index = self.index_mut();
            index.move_to(Arc::new(next), |place| moved.place(place));
            index.segments.retain(|number, _| *number >= cut.up_to);
            index.garbage = index.garbage.saturating_sub(cut.garbage);
        }
        // Until the new name is on disk, the old parts may be needed.
        if sync {
            self.paths.sync().map_err(failed("sync", path))?;
        }
        journal.forget(cut.up_to, sync).map_err(failed("remove the journal of", path))
    }
}

/// An archive on its way to a file.
struct Writer<'f> {
    out: BufWriter<&'f File>,
    at: u64,
    directory: Vec<u8>,
    count: u64,
}

impl<'f> Writer<'f> {
    fn new(file: &'f File) -> Self {
        Self {
            out: BufWriter::with_capacity(256 << 10, file),
            at: 0,
            directory: Vec::new(),
            count: 0,
        }
    }

    /// Copies what is to be kept of the present archive: the members of the cut, and those that are no
    /// keys.
    fn keep(&mut self, cut: &Cut, members: &[Member<'_>]) -> io::Result<Vec<Run>> {
        // A member reaches up to the next one, so that whatever a program put behind its data stays.
        let mut spans: Vec<(u64, bool)> =
            members.iter().map(|member| (header_of(member), cut.keeps(member))).collect();
        spans.sort_unstable();
        let mut runs: Vec<Run> = Vec::new();
        let mut at = self.at;
        for (nth, (from, kept)) in spans.iter().copied().enumerate() {
            if !kept {
                continue;
            }
            let to = spans.get(nth + 1).map_or(cut.archive.directory.0, |(next, _)| *next);
            match runs.last_mut() {
                Some(run) if run.to == from => run.to = to,
                _ => runs.push(Run { from, to, at }),
            }
            at += to - from;
        }
        for run in &runs {
            self.copy(&cut.archive.file, run.from, run.to - run.from)?;
        }
        let moved = Moved { runs, new: Vec::new() };
        for member in members.iter().filter(|member| cut.keeps(member)) {
            let place = Place { file: ARCHIVE, header: header_of(member) };
            let at = moved.place(place).ok_or_else(|| io::Error::other("a member was lost"))?;
            let (header, attributes) = (Header::of(member), Attributes::of(member));
            let rest = (member.extra, member.comment);
            header.write_central(&mut self.directory, attributes, at, rest);
            self.count += 1;
        }
        Ok(moved.runs)
    }

    /// Appends the members in the journal, and says where each of them is now.
    fn add(&mut self, cut: &Cut) -> io::Result<Vec<(Place, u64)>> {
        let mut moved = Vec::with_capacity(cut.new.len());
        for (key, slot, file) in &cut.new {
            let (found, bytes) = local(file, slot.place.header)?;
            let found = found.ok_or_else(|| io::Error::other("the journal was changed"))?;
            moved.push((slot.place, self.at));
            let sizes = (slot.packed_size, slot.size);
            let header = Header::new(key.as_str(), slot.method, found.moment, slot.crc, sizes);
            header.write_central(&mut self.directory, Attributes::FILE, self.at, (&[], &[]));
            self.count += 1;
            self.copy(file, slot.place.header, bytes.len() as u64 + slot.packed_size)?;
        }
        Ok(moved)
    }

    /// Writes what stands at the end. Returns how many members there are.
    fn finish(mut self, comment: &[u8]) -> io::Result<u64> {
        let (bytes, start) = (self.directory.len() as u64, self.at);
        write_end(&mut self.directory, self.count, bytes, start, comment);
        self.out.write_all(&self.directory)?;
        self.out.flush()?;
        Ok(self.count)
    }

    fn copy(&mut self, mut from: &File, start: u64, length: u64) -> io::Result<()> {
        if length <= SMALL_COPY_BYTES {
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            from.read_exact_at(&mut bytes, start)?;
            self.out.write_all(&bytes)?;
        } else {
            // Nobody else uses the position of the file. The system copies from file to file without
            // us, and shares the blocks where it can.
            from.seek(SeekFrom::Start(start))?;
            if io::copy(&mut from.take(length), &mut self.out)? != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.at += length;
        Ok(())
    }
}

/// Up to this size, buffering beats a system call for each piece.
const SMALL_COPY_BYTES: u64 = 64 << 10;

impl Cut {
    /// Whether a member of the present archive goes into the next.
    fn keeps(&self, member: &Member<'_>) -> bool {
        self.kept.binary_search(&header_of(member)).is_ok()
            || Key::parse_physical(&member.name).is_none()
    }
}

/// Gives the next archive the mode and, as far as this process may, the owner of the present one.
fn keep_owner(old: &File, new: &File) -> io::Result<()> {
    let (old, made) = (old.metadata()?, new.metadata()?);
    new.set_permissions(old.permissions())?;
    if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
        let _ = fchown(new, Some(old.uid()), Some(old.gid()));
    }
    Ok(())
}

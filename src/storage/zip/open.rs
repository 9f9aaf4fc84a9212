//! Opening: the archive, and then the journal over it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

use super::archive::{self, Archive, Fingerprint};
use super::index::{Place, Slot};
use super::journal::{Journal, Part};
use super::paths::{Paths, remove};
use super::record::{HEAD_BYTES, HEADER_BYTES, Head, Header, Said, is_settled_behind, said};
use super::store::Store;
use super::{corrupt, failed};
use crate::key::Key;
use crate::storage::{Error, Result};
use crate::zipfile::method;

/// A part of the journal as it was found.
struct Found {
    number: u64,
    header: Header,
    changes: Vec<Change>,
    /// The archives that were about to be put in place while it was written.
    moved: Vec<Fingerprint>,
    part: Part,
    /// Whether something that does not count is behind its records.
    ragged: bool,
}

/// A change to do again.
enum Change {
    Put(Key, Slot),
    Delete(Key),
}

/// Opens the store whose archive is at these paths; nobody else in this process has it open.
pub(super) fn open(paths: Paths) -> Result<Store> {
    let path = paths.archive.clone();
    let was_there = path.try_exists().map_err(failed("open", &path))?;
    let file = archive::lock(&path)?;
    let opened = restore(paths, file);
    if opened.is_err() && !was_there {
        // The lock needs a file, but who is refused should find things as they were.
        let _ = remove(&path);
    }
    opened
}

fn restore(paths: Paths, file: File) -> Result<Store> {
    let path = paths.archive.clone();
    let archive = Archive::read(file, &path)?;
    let fingerprint = archive.fingerprint;
    let mut index = archive.index(&path)?;
    probe(&paths)?;

    let numbers = paths.segments().map_err(failed("look for the journal of", &path))?;
    let last = numbers.last().copied().unwrap_or(0);
    let mut found = Vec::new();
    for number in numbers {
        found.extend(read_part(&paths, number, number == last)?);
    }
    let start = start(&found, &fingerprint);
    if start.is_none()
        && let Some(foreign) = found.iter().find(|part| !part.changes.is_empty())
    {
        return Err(corrupt(
            paths.segment(foreign.number).display().to_string(),
            format!(
                "it continues another archive than {}, which was changed after a crash; restore the \
                 archive it belongs to, or move the files *.larder-journal-* away to do without the \
                 {} changes in it",
                path.display(),
                foreign.changes.len(),
            ),
        ));
    }

    // What is before the start is in the archive already.
    let wanted = found.split_off(start.unwrap_or(found.len()));
    for done in found {
        let path = paths.segment(done.number);
        remove(&path).map_err(failed("remove", &path))?;
    }
    let mut closed = Vec::new();
    let mut closed_bytes = 0;
    let mut current: Option<Part> = None;
    for (nth, part) in wanted.into_iter().enumerate() {
        if let Some(before) = current.take() {
            closed.push(before.number);
            closed_bytes += before.bytes;
        }
        if nth > 0 && part.header.previous != closed.last().copied().unwrap_or(0) {
            let path = paths.segment(part.number).display().to_string();
            return Err(corrupt(path, "the part of the journal before it is missing"));
        }
        if part.ragged {
            let path = paths.segment(part.number);
            part.part.file.set_len(part.part.bytes).map_err(failed("cut", &path))?;
        }
        index.segments.insert(part.number, Arc::clone(&part.part.file));
        for change in part.changes {
            match change {
                Change::Put(key, slot) => index.put(key, slot),
                Change::Delete(key) => index.delete(key.as_str()),
            }
        }
        current = Some(part.part);
    }
    let journal = Journal::new(paths.clone(), closed, closed_bytes, current, last);
    Ok(Store::new(paths, journal, index))
}

/// Finds out now rather than at the first write whether files can be made beside the archive. Also
/// removes what a crash left there.
fn probe(paths: &Paths) -> Result<()> {
    let path = paths.next();
    match File::create(&path).map_err(failed("make files beside the archive, such as", &path)) {
        // A store on a full disk can be read.
        Ok(_) | Err(Error::Full { .. }) => {}
        Err(error) => return Err(error),
    }
    remove(&path).map_err(failed("remove", &path))
}

/// The first part that is to be done again: the archive is the one it was begun on, or the parts before
/// it went into the archive.
fn start(found: &[Found], archive: &Fingerprint) -> Option<usize> {
    found.iter().rposition(|part| part.moved.contains(archive)).or_else(|| {
        found.iter().position(|part| part.header.previous == 0 && part.header.base == *archive)
    })
}

/// Reads a part of the journal. `None` if it was never finished, and is removed.
fn read_part(paths: &Paths, number: u64, is_last: bool) -> Result<Option<Found>> {
    let path = paths.segment(number);
    let broken = |why: &str| corrupt(path.display().to_string(), why);
    let file = File::options().read(true).write(true).open(&path).map_err(failed("open", &path))?;
    let bytes = file.metadata().map_err(failed("read", &path))?.len();
    let mut header = [0; HEADER_BYTES];
    let readable = bytes >= HEADER_BYTES as u64;
    if readable {
        file.read_exact_at(&mut header, 0).map_err(failed("read", &path))?;
    }
    let Some((header, check)) = Header::read(&header).filter(|_| readable) else {
        if !is_last || bytes > HEADER_BYTES as u64 {
            return Err(broken("it does not start as a journal does"));
        }
        remove(&path).map_err(failed("remove", &path))?;
        return Ok(None);
    };
    let file = Arc::new(file);
    let mut part = Part {
        number,
        file: Arc::clone(&file),
        salt: header.salt,
        check,
        bytes: HEADER_BYTES as u64,
        used: false,
        ragged: false,
    };
    let (mut changes, mut moved) = (Vec::new(), Vec::new());
    while part.bytes < bytes {
        let record = read_record(&file, part.bytes, bytes).map_err(failed("read", &path))?;
        let record = record.filter(|(head, changes)| {
            head.before == part.check && head.fits(&header.salt, changes)
        });
        let Some((head, record)) = record else { break };
        let at = part.bytes + HEAD_BYTES as u64;
        let all = said(&record).ok_or_else(|| broken("a record in it makes no sense"))?;
        part.used |= all.iter().any(|said| !matches!(said, Said::Moved(_)));
        for said in all {
            match change(said, number, at) {
                Some(Redo::Change(change)) => changes.push(change),
                Some(Redo::Moved(archive)) => moved.push(archive),
                None => return Err(broken("a record in it names what is no key")),
            }
        }
        part.bytes = at + head.length;
        part.check = head.check;
    }
    let ragged = part.bytes < bytes;
    if ragged {
        let mut rest = vec![0; usize::try_from(bytes - part.bytes - 1).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut rest, part.bytes + 1).map_err(failed("read", &path))?;
        if !is_last || is_settled_behind(&header.salt, &rest) {
            return Err(broken(&format!(
                "it is damaged at byte {} and goes on behind that; to do without what it holds, move it \
                 away",
                part.bytes
            )));
        }
    }
    Ok(Some(Found { number, header, changes, moved, part, ragged }))
}

fn read_record(file: &File, at: u64, end: u64) -> io::Result<Option<(Head, Vec<u8>)>> {
    let mut head = [0; HEAD_BYTES];
    let changes_at = at + HEAD_BYTES as u64;
    if changes_at > end {
        return Ok(None);
    }
    file.read_exact_at(&mut head, at)?;
    let Some(head) = Head::read(&head).filter(|head| head.length <= end - changes_at) else {
        return Ok(None);
    };
    let mut changes = vec![0; usize::try_from(head.length).map_err(io::Error::other)?];
    file.read_exact_at(&mut changes, changes_at)?;
    Ok(Some((head, changes)))
}

enum Redo {
    Change(Change),
    Moved(Fingerprint),
}

/// What is to be done for something a record says, whose changes start at `start` of the part.
fn change(said: Said<'_>, number: u64, start: u64) -> Option<Redo> {
    let change = match said {
        Said::Moved(archive) => return Some(Redo::Moved(archive)),
        Said::Delete { key } => Change::Delete(Key::parse_physical(key)?),
        Said::Put { key, crc, packed_size, size, hash, at } => {
            let place = Place { file: number, header: start + at as u64 };
            let hash = OnceLock::from(hash);
            let slot = Slot { place, packed_size, size, crc, method: method::DEFLATED, hash };
            Change::Put(Key::parse_physical(key)?, slot)
        }
    };
    Some(Redo::Change(change))
}

/// Whether a file is there that is worth nothing yet, and should become an archive.
pub(super) fn is_blank(store: &Store) -> bool {
    store.index().archive.bytes == 0
}

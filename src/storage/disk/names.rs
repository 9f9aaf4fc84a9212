//! The names in one directory, as they were at one moment.
//!
//! A directory that is read in several system calls while names in it are being replaced may skip a
//! name that was there throughout: a replaced name moves to another place in the directory on some
//! file systems (two of three listings of 3,000 files on tmpfs missed some beside two busy writers;
//! ext4 replaces in place). One system call runs under the directory's lock. So the buffer grows
//! until the whole directory fits into one call.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::FileType;

/// A name and what it is, as far as the directory knows.
pub(super) type Name = (String, FileType);

/// The names that can be part of a key, or are the store's own, in no order.
#[cfg(target_os = "linux")]
pub(super) fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<Name>> {
    const FIRST: usize = 32 << 10;
    const LAST: usize = 32 << 20;

    // Room, not values: filling it would take longer than the call, without optimisation.
    let mut buffer = Vec::with_capacity(FIRST);
    let (mut found, mut calls) = read(dir, buffer.spare_capacity_mut())?;
    while calls > 1 && buffer.capacity() < LAST {
        buffer = Vec::with_capacity(buffer.capacity() * 8);
        let (again, fewer) = read(dir, buffer.spare_capacity_mut())?;
        found = again;
        if fewer >= calls {
            break;
        }
        calls = fewer;
    }
    if calls > 1 {
        // A file system that hands out names in small portions, or half a million names. A second
        // look finds what the first one missed, but for a name that was replaced twice at the worst
        // two moments.
        found.extend(read(dir, buffer.spare_capacity_mut())?.0);
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        found.dedup_by(|a, b| a.0 == b.0);
    }
    Ok(found)
}

/// One look, and the number of calls that brought names.
#[cfg(target_os = "linux")]
fn read(
    dir: BorrowedFd<'_>,
    buffer: &mut [std::mem::MaybeUninit<u8>],
) -> io::Result<(Vec<Name>, usize)> {
    rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0))?;
    let (mut found, mut calls) = (Vec::new(), 0);
    let mut entries = rustix::fs::RawDir::new(dir, buffer);
    loop {
        let asks = entries.is_buffer_empty();
        let Some(entry) = entries.next() else { return Ok((found, calls)) };
        calls += usize::from(asks);
        let entry = match entry {
            // Removed after it was opened, so empty.
            Err(rustix::io::Errno::NOENT) => return Ok((found, calls)),
            entry => entry?,
        };
        keep(&mut found, entry.file_name(), entry.file_type());
    }
}

/// The names that can be part of a key, or are the store's own, in no order.
#[cfg(not(target_os = "linux"))]
pub(super) fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<Name>> {
    let mut found = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        keep(&mut found, entry.file_name(), entry.file_type());
    }
    Ok(found)
}

/// Names that are not UTF-8 are no part of any key.
fn keep(found: &mut Vec<Name>, name: &std::ffi::CStr, kind: FileType) {
    if let Ok(name) = name.to_str()
        && name != "."
        && name != ".."
    {
        found.push((name.to_owned(), kind));
    }
}

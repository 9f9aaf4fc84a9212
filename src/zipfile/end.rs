//! The record at the end of an archive that says where its directory is.

use super::{Malformed, u16_at, u32_at, u64_at};

pub(super) const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
pub(super) const END64_SIGNATURE: [u8; 4] = *b"PK\x06\x06";
pub(super) const END64_LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";

const END_BYTES: usize = 22;
pub(super) const END64_BYTES: usize = 56;
const END64_LOCATOR_BYTES: usize = 20;

/// How far from its end the record is looked for.
const LONGEST_SEARCH_BYTES: usize = (1 << 16) + END_BYTES;
#[cfg(all(unix, feature = "zip"))]
/// As much of the end of a file as is ever looked at to find its directory.
pub(crate) const LONGEST_TAIL_BYTES: usize =
    LONGEST_SEARCH_BYTES + END64_BYTES + END64_LOCATOR_BYTES;

/// Where the directory of an archive is.
#[derive(Debug)]
pub(crate) struct EndRecord<'a> {
    /// Where it ends, counted from the start of the file; the records of the end start there.
    pub(crate) directory_end: u64,
    /// Its length.
    pub(crate) directory_bytes: u64,
    /// Where the archive says it starts, counted from the start of the archive proper.
    directory_offset: u64,
    /// The comment of the archive.
    pub(crate) comment: &'a [u8],
}

impl<'a> EndRecord<'a> {
    /// Finds it in the last bytes of a file, before which `skipped` others stand. It is enough to give
    /// the last `LONGEST_TAIL_BYTES`.
    pub(crate) fn find(tail: &'a [u8], skipped: u64) -> Result<Self, Malformed> {
        let at = Self::position(tail).ok_or(Malformed::NotZip)?;
        let (record, behind) =
            tail[at..].split_first_chunk::<END_BYTES>().ok_or(Malformed::NotZip)?;
        let comment_bytes = usize::from(u16_at(record, 20)).min(behind.len());
        let narrow = Self {
            directory_end: skipped + at as u64,
            directory_bytes: u32_at(record, 12).into(),
            directory_offset: u32_at(record, 16).into(),
            comment: &behind[..comment_bytes],
        };
        narrow.widened(&tail[..at], skipped)
    }

    /// Where the directory starts, counted from the start of the file.
    pub(crate) fn directory_start(&self) -> Result<u64, Malformed> {
        self.directory_end
            .checked_sub(self.directory_bytes)
            .ok_or(Malformed::Directory("Bad offset for central directory"))
    }

    /// How many bytes stand before the archive proper; to be added to every offset it says.
    pub(crate) fn shift(&self) -> Result<i128, Malformed> {
        Ok(i128::from(self.directory_start()?) - i128::from(self.directory_offset))
    }

    /// Without a comment the record is the end of the archive; with one it is the last that is found.
    fn position(tail: &[u8]) -> Option<usize> {
        let bare = tail.len().checked_sub(END_BYTES)?;
        let record = &tail[bare..];
        if record[..4] == END_SIGNATURE && record[20..] == [0, 0] {
            return Some(bare);
        }
        let first = tail.len().saturating_sub(LONGEST_SEARCH_BYTES);
        memchr::memmem::rfind(&tail[first..], &END_SIGNATURE).map(|at| first + at)
    }

    /// Takes the 64-bit record into account, which stands right before this one if it is there.
    fn widened(self, before: &[u8], skipped: u64) -> Result<Self, Malformed> {
        let Some((before, locator)) = before.split_last_chunk::<END64_LOCATOR_BYTES>() else {
            return Ok(self);
        };
        if locator[..4] != END64_LOCATOR_SIGNATURE {
            return Ok(self);
        }
        if u32_at(locator, 4) != 0 || u32_at(locator, 16) > 1 {
            let why = "zipfiles that span multiple disks are not supported";
            return Err(Malformed::Directory(why));
        }
        let Some((before, record)) = before.split_last_chunk::<END64_BYTES>() else {
            return Ok(self);
        };
        if record[..4] != END64_SIGNATURE {
            return Ok(self);
        }
        Ok(Self {
            directory_end: skipped + before.len() as u64,
            directory_bytes: u64_at(record, 40),
            directory_offset: u64_at(record, 48),
            comment: self.comment,
        })
    }
}

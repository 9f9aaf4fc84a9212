//! The container: which members an archive says it has, and where their data is. Pure.
//!
//! Nothing a header says is used before it was compared with the bytes that are there. The records
//! themselves are `zipfile`'s.

use super::Refusal;
use crate::zipfile::{EndRecord, LOCAL_BYTES, Local, Malformed, Member, flag};

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::NotZip => Self::NotZip,
            Malformed::Directory(why) => Self::Directory(why),
        }
    }
}

/// The directory of an archive.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    /// Where the directory starts, and so where data must end.
    start: usize,
    /// The members, in order; a name may occur more than once.
    pub(super) members: Vec<Member<'a>>,
    /// The comment of the archive.
    pub(super) comment: &'a [u8],
}

/// What a member takes up of the archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Located<'a> {
    /// Where its local header starts.
    pub(super) start: usize,
    /// Where its data ends.
    pub(super) end: usize,
    /// The extra fields of the local header.
    pub(super) extra: &'a [u8],
    /// The data, compressed or not.
    pub(super) packed: &'a [u8],
}

impl<'a> Directory<'a> {
    /// Reads the directory of an archive of at most `max_members` members.
    pub(super) fn read(bytes: &'a [u8], max_members: usize) -> Result<Self, Refusal> {
        let end = EndRecord::find(bytes, 0)?;
        let shift = end.shift()?;
        let place = |offset| usize::try_from(offset).map_err(|_| Malformed::NotZip);
        let start = place(end.directory_start()?)?;
        let mut rest = &bytes[start..place(end.directory_end)?];
        let mut members = Vec::new();
        while !rest.is_empty() {
            if members.len() == max_members {
                return Err(Refusal::TooManyMembers { limit: max_members });
            }
            let (member, behind) = Member::read(rest, shift)?;
            members.push(member);
            rest = behind;
        }
        Ok(Self { bytes, start, members, comment: end.comment })
    }

    /// Finds a member's data, and refuses headers that contradict each other.
    pub(super) fn locate(&self, member: &Member<'a>) -> Result<Located<'a>, Refusal> {
        let wrong = |why| Err(Refusal::member(&member.name, why));
        let Ok(start) = usize::try_from(member.header) else {
            return wrong("is outside the archive");
        };
        let before_directory = &self.bytes[..self.start];
        let Some(header) =
            before_directory.get(start..).and_then(<[u8]>::first_chunk::<LOCAL_BYTES>)
        else {
            return wrong("is outside the archive");
        };
        let Some(local) = Local::read(header) else {
            return wrong("has no header where the directory says");
        };
        let name_at = start + LOCAL_BYTES;
        let extra_at = name_at + local.name_bytes;
        let data_at = extra_at + local.extra_bytes;
        let end =
            usize::try_from(member.packed_size).ok().and_then(|size| data_at.checked_add(size));
        let Some((name, extra, packed)) = end.and_then(|end| {
            let part = |from, to| before_directory.get(from..to);
            Some((part(name_at, extra_at)?, part(extra_at, data_at)?, part(data_at, end)?))
        }) else {
            return wrong("is longer than the archive");
        };
        let same_encoding = name.is_ascii() || (local.flags ^ member.flags) & flag::UTF8 == 0;
        if name != member.stored_name || !same_encoding {
            return wrong("has another name in its own header");
        }
        if !local.agrees(member.method, member.packed_size, member.size) {
            return wrong("is described in two ways that contradict each other");
        }
        Ok(Located { start, end: data_at + packed.len(), extra, packed })
    }

    /// Refuses members that share bytes with each other: a small archive of such members can grow
    /// far beyond what its compression allows.
    pub(super) fn refuse_overlaps(&self) -> Result<(), Refusal> {
        let mut spans = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let located = self.locate(member)?;
            spans.push((located.start, located.end, &member.name));
        }
        spans.sort_unstable();
        for pair in spans.windows(2) {
            if pair[1].0 < pair[0].1 {
                return Err(Refusal::member(pair[1].2, "overlaps another member"));
            }
        }
        Ok(())
    }

    /// The member of a name. Of several, the last one counts.
    pub(super) fn member(&self, name: &str) -> Option<&Member<'a>> {
        self.members.iter().rev().find(|member| member.name == name)
    }
}

//! Working copies: an archive with members added, removed and renamed, hashed and written out. Pure.
//!
//! A member that is not touched is copied as it stands, compressed data, date, attributes and
//! comment; only its local header is written anew, so that sizes stand in it and nothing needs 64
//! bits. What stood before the first member or between members is dropped. A renamed member keeps
//! all but its name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::contents::{self, Budget};
use super::directory::Directory;
use super::write::Writer;
use super::{ArchiveLimits, Refusal};
use crate::cache::digest::{Digest, MembersDigest};
use crate::zipfile::Member;

/// An archive in the making.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    directory: &'a Directory<'a>,
    slots: Vec<Slot<'a>>,
}

#[derive(Debug)]
struct Slot<'a> {
    name: Cow<'a, str>,
    content: Source<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Kept(&'a Member<'a>),
    New(&'a [u8]),
}

/// A finished archive.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) bytes: Bytes,
    pub(super) hash: Digest,
}

impl<'a> Draft<'a> {
    /// An archive as it stands.
    pub(super) fn of(directory: &'a Directory<'a>) -> Self {
        let kept = |member: &'a Member<'a>| Slot {
            name: Cow::Borrowed(&*member.name),
            content: Source::Kept(member),
        };
        Self { directory, slots: directory.members.iter().map(kept).collect() }
    }

    /// How many members there are; a name may occur more than once.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The names, in order; a name may occur more than once.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|slot| &*slot.name)
    }

    /// Appends a member. One of the same name stays, and is read no more.
    pub(super) fn add(
        &mut self,
        name: &'a str,
        content: &'a [u8],
        limits: &ArchiveLimits,
    ) -> Result<(), Refusal> {
        if self.slots.len() >= limits.max_members {
            return Err(Refusal::TooManyMembers { limit: limits.max_members });
        }
        self.slots.push(Slot { name: Cow::Borrowed(name), content: Source::New(content) });
        Ok(())
    }

    /// Removes every member that `matches`. Returns the names of those it removed, sorted.
    pub(super) fn remove(&mut self, matches: impl Fn(&str) -> bool) -> Vec<String> {
        let mut removed = Vec::new();
        self.slots.retain(|slot| {
            let goes = matches(&slot.name);
            if goes {
                removed.push(slot.name.clone().into_owned());
            }
            !goes
        });
        removed.sort_unstable();
        removed.dedup();
        removed
    }

    /// Gives the member of a name another one, and removes others of the old name. `false` when
    /// there is none.
    pub(super) fn rename(&mut self, from: &str, to: &'a str) -> bool {
        let Some(slot) = self.slots.iter().rev().find(|slot| slot.name == from) else {
            return false;
        };
        let content = slot.content;
        self.slots.retain(|slot| slot.name != from);
        self.slots.push(Slot { name: Cow::Borrowed(to), content });
        true
    }

    /// The hash of the contents. Reads every member that can be read, and refuses the archive when
    /// one of them is not what its headers say.
    pub(super) fn hash(&self, limits: &ArchiveLimits) -> Result<Digest, Refusal> {
        self.directory.refuse_overlaps()?;
        // Of duplicate names the last content counts; the others are never read.
        let by_name: BTreeMap<&str, Source<'_>> =
            self.slots.iter().map(|slot| (&*slot.name, slot.content)).collect();
        let mut budget = Budget::new(limits);
        let mut digest = MembersDigest::default();
        for (name, content) in by_name {
            digest.start_member(name);
            match content {
                Source::Kept(member) => {
                    contents::unpack(self.directory, member, &mut budget, |chunk| {
                        digest.content(chunk)
                    })?;
                }
                Source::New(content) => {
                    budget.count_plain(content.len())?;
                    digest.content(content);
                }
            }
            digest.end_member();
        }
        Ok(digest.finish())
    }

    /// Writes the archive. New members are dated `now_ms`.
    pub(super) fn finish(&self, limits: &ArchiveLimits, now_ms: u64) -> Result<Finished, Refusal> {
        let hash = self.hash(limits)?;
        let mut writer = Writer::new(now_ms);
        for slot in &self.slots {
            match slot.content {
                Source::Kept(member) => {
                    let located = self.directory.locate(member)?;
                    let renamed = (slot.name != member.name).then_some(&*slot.name);
                    writer.copy(member, &located, renamed)?;
                }
                Source::New(content) => writer.add(&slot.name, content)?,
            }
        }
        Ok(Finished { bytes: writer.finish(self.directory.comment)?, hash })
    }
}

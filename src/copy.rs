//! Copies a store, or some namespaces of it, into another.
//!
//! Three rounds through every namespace, none of which holds more than a few pages of names and some
//! values:
//!
//! 1. *Survey.* Both listings side by side: what is to copy, what is there already, and what has
//!    another value there. The last is refused before anything is written.
//! 2. *Copy.* Content and side files, then entry references, then hash references, each written on
//!    the condition that nothing is there. What a reference names is copied before it, if a service
//!    stored it since the round began. So at no moment does a reference of the copy point at
//!    nothing, unless it did so in the source.
//! 3. *Check.* Every value is read again from both and compared by its SHA-256. A sum over all names
//!    and values read from the source, in the second round and in the third, tells whether the source
//!    changed meanwhile, without remembering any of them.
//!
//! A copy that was cut off leaves nothing but what it had copied: run it again, and it finds in the
//! target itself where to go on.

use crate::key::Namespace;
use crate::storage::{Result, Storage, walk};

mod rounds;
mod sum;

use rounds::Rounds;

/// How a copy is to be made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which namespaces; none named: all.
    pub namespaces: Vec<Namespace>,
    /// Replaces what has another value in the target.
    pub overwrite: bool,
    /// Only looks.
    pub dry_run: bool,
}

/// Names of conflicts and differences that are kept; the others are counted.
pub const FIRST: usize = 10;

/// Some names, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// The first of them.
    pub first: Vec<String>,
    /// How many there are.
    pub count: u64,
}

impl Names {
    fn add(&mut self, name: &str) {
        if self.first.len() < FIRST {
            self.first.push(name.to_owned());
        }
        self.count += 1;
    }
}

/// What a copy has done, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Namespaces gone through.
    pub namespaces: u64,
    /// Objects of the source, and their bytes.
    pub objects: u64,
    /// Bytes of the objects of the source.
    pub bytes: u64,
    /// Objects that had the same value in the target already.
    pub skipped: u64,
    /// Objects that are not in the target, when the copy began.
    pub missing: u64,
    /// Objects written, those included that replaced another value.
    pub copied: u64,
    /// Bytes written.
    pub copied_bytes: u64,
    /// Objects that replaced another value.
    pub replaced: u64,
    /// Objects read again from both and found equal.
    pub verified: u64,
    /// Objects that have another value in the target.
    pub conflicts: Names,
    /// Objects that were not equal in the end.
    pub differing: Names,
    /// The source was not the same when it was read again.
    pub source_changed: bool,
}

impl Summary {
    /// Whether the target holds what the source holds, as far as the copy was to see to it.
    #[must_use]
    pub fn complete(&self, options: &Options) -> bool {
        let in_the_way = self.conflicts.count > 0 && !options.overwrite;
        !in_the_way && self.differing.count == 0 && !self.source_changed
    }
}

/// Which round a copy is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Both are listed.
    Survey,
    /// Objects are written.
    Copy,
    /// Objects are read again.
    Check,
}

/// Copies a store. `tell` hears of the progress: the round, and the summary so far.
///
/// # Errors
///
/// One of the stores cannot answer, or the target is full. What was copied until then stands.
pub async fn run(
    source: &dyn Storage,
    target: &dyn Storage,
    options: &Options,
    tell: &mut (dyn FnMut(Round, &Summary) + Send),
) -> Result<Summary> {
    let mut namespaces = options.namespaces.clone();
    if namespaces.is_empty() {
        namespaces = walk::namespaces(source).await?;
    }
    namespaces.sort_unstable();
    namespaces.dedup();
    let mut rounds =
        Rounds { source, target, overwrite: options.overwrite, summary: Summary::default(), tell };
    for namespace in &namespaces {
        rounds.survey(namespace).await?;
        rounds.summary.namespaces += 1;
    }
    let refused = rounds.summary.conflicts.count > 0 && !options.overwrite;
    if options.dry_run || refused {
        return Ok(rounds.summary);
    }
    let (mut copied, mut checked) = (sum::Sum::default(), sum::Sum::default());
    for namespace in &namespaces {
        copied = copied + rounds.copy(namespace).await?;
    }
    for namespace in &namespaces {
        checked = checked + rounds.check(namespace).await?;
    }
    rounds.summary.source_changed = copied != checked;
    Ok(rounds.summary)
}

//! The states a store may be in, and where a batch may lead from each.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use larder::key::Key;
use larder::storage::Version;

use super::{Change, Wants};
use crate::bench::show_key;
use crate::check::Outcome;
use crate::report::Failure;

/// How many worlds are followed before a run is called inconclusive.
const MOST_WORLDS: usize = if cfg!(test) { 256 } else { 4096 };

/// One state the store may be in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct World {
    pub(super) objects: BTreeMap<Key, Bytes>,
    /// The versions known of values that were not written since.
    pub(super) versions: HashMap<Key, Version>,
    /// Writes that may still take effect.
    pending: Vec<Vec<Vec<Change>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Holds {
    Yes,
    No,
    Maybe,
}

pub(super) enum Answer {
    Done,
    Conflict(Vec<Key>),
}

/// Adds every world that pending writes may make of these before the next call: whole batches where
/// they are atomic, else one change after the other, around whatever was called since.
pub(super) fn land(worlds: &mut Vec<World>, atomic: bool) -> Outcome {
    let mut at = 0;
    while at < worlds.len() {
        for nth in 0..worlds[at].pending.len() {
            for world in worlds[at].landings(nth, atomic)? {
                if !worlds.contains(&world) {
                    worlds.push(world);
                }
            }
        }
        at += 1;
        enough(worlds)?;
    }
    Ok(())
}

fn enough(worlds: &[World]) -> Outcome {
    if worlds.len() > MOST_WORLDS {
        return Err(Failure::inconclusive("too many writes of unknown outcome"));
    }
    Ok(())
}

pub(super) fn dedup(worlds: &mut Vec<World>) -> Outcome {
    let mut kept: Vec<World> = Vec::with_capacity(worlds.len());
    for world in worlds.drain(..) {
        if !kept.contains(&world) {
            kept.push(world);
        }
    }
    *worlds = kept;
    enough(worlds)
}

impl Answer {
    pub(super) fn show(&self) -> String {
        match self {
            Self::Done => "succeeded".into(),
            Self::Conflict(keys) => {
                let keys: Vec<_> = keys.iter().map(show_key).collect();
                format!("conflicted on {}", keys.join(" or "))
            }
        }
    }
}

impl World {
    /// Where a batch may lead: the worlds it may leave behind, for each answer it may give.
    pub(super) fn outcomes(
        &self,
        steps: &[Vec<Change>],
        atomic: bool,
    ) -> Result<Vec<(Vec<Self>, Answer)>, Failure> {
        let mut reached = vec![self.clone()];
        // The worlds a conflict may leave: nothing done, or whole steps before the failing one.
        let mut left = reached.clone();
        let mut outcomes = Vec::new();
        for (nth, step) in steps.iter().enumerate() {
            if nth > 0 && !atomic {
                // Writes that were dropped may land between two steps.
                land(&mut reached, atomic)?;
                left.extend(reached.iter().cloned());
            }
            let mut next = Vec::new();
            for world in reached {
                let failing = |holds: Holds| {
                    let changes = step.iter().filter(|change| world.holds(change) == holds);
                    changes.map(|change| change.key.clone()).collect::<Vec<_>>()
                };
                let (no, maybe) = (failing(Holds::No), failing(Holds::Maybe));
                let failed = !no.is_empty();
                if failed || !maybe.is_empty() {
                    let keys = no.into_iter().chain(maybe).collect();
                    outcomes.push((left.clone(), Answer::Conflict(keys)));
                }
                if !failed {
                    let mut world = world;
                    step.iter().for_each(|change| world.carry_out(change));
                    next.push(world);
                }
            }
            reached = next;
        }
        if !reached.is_empty() {
            outcomes.push((reached, Answer::Done));
        }
        Ok(outcomes)
    }

    /// This world, with a write that may still take effect.
    pub(super) fn awaiting(&self, steps: &[Vec<Change>]) -> Self {
        let mut world = self.clone();
        let steps: Vec<_> = steps.iter().filter(|step| !step.is_empty()).cloned().collect();
        if !steps.is_empty() {
            world.pending.push(steps);
        }
        world
    }

    /// The worlds after the next thing that a pending write does, if it can do any.
    fn landings(&self, nth: usize, atomic: bool) -> Result<Vec<Self>, Failure> {
        let mut rest = self.clone();
        let mut steps = rest.pending.remove(nth);
        if atomic {
            let outcomes = rest.outcomes(&steps, atomic)?;
            return Ok(outcomes.into_iter().flat_map(|(worlds, _)| worlds).collect());
        }
        let step = steps.remove(0);
        // An expectation that fails ends the write.
        if step.iter().any(|change| self.holds(change) == Holds::No) {
            return Ok(vec![rest]);
        }
        let next = (0..step.len()).map(|chosen| {
            let mut world = rest.clone();
            let mut left = step.clone();
            world.carry_out(&left.remove(chosen));
            let left = std::iter::once(left).chain(steps.iter().cloned()).collect::<Vec<_>>();
            world.awaiting(&left)
        });
        Ok(next.collect())
    }

    /// What trouble other than a conflict may leave of a batch: some steps, the last in part.
    pub(super) fn partial(&self, steps: &[Vec<Change>], atomic: bool) -> Vec<Self> {
        let mut left = vec![self.clone()];
        if atomic {
            return left;
        }
        let mut reached = self.clone();
        for step in steps {
            if step.iter().any(|change| reached.holds(change) == Holds::No) {
                break;
            }
            // Every subset of the step; steps of more than eight changes are cut in order only.
            let subsets = if step.len() <= 8 { 1_u32 << step.len() } else { 0 };
            for chosen in 0..subsets {
                let mut world = reached.clone();
                let taken = step.iter().enumerate().filter(|(nth, _)| chosen >> nth & 1 == 1);
                taken.for_each(|(_, change)| world.carry_out(change));
                left.push(world);
            }
            step.iter().for_each(|change| reached.carry_out(change));
            left.push(reached.clone());
        }
        left
    }

    fn holds(&self, change: &Change) -> Holds {
        let current = self.objects.get(&change.key);
        let sure = |held: bool| if held { Holds::Yes } else { Holds::No };
        match &change.wants {
            Wants::Anything => Holds::Yes,
            Wants::Absence => sure(current.is_none()),
            Wants::At { version, bytes, own } => {
                let Some(current) = current else { return Holds::No };
                let known = self.versions.get(&change.key).filter(|_| *own);
                if known == Some(version) {
                    Holds::Yes
                } else if bytes.as_ref() == Some(current) {
                    // Versions may be made from the value, so the same value may match again.
                    Holds::Maybe
                } else {
                    Holds::No
                }
            }
        }
    }

    fn carry_out(&mut self, change: &Change) {
        self.versions.remove(&change.key);
        match &change.value {
            Some(value) => self.objects.insert(change.key.clone(), value.clone()),
            None => self.objects.remove(&change.key),
        };
    }
}

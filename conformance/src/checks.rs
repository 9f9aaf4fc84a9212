//! The checks, by the part of the contract they hold a store to. A new one is a function and a row
//! in its module's table; every subject is held to it from then on.

use crate::bench::Bench;
use crate::check::{Check, Needs, Outcome};

mod batches;
mod concurrency;
mod expectations;
mod faults;
mod limits;
mod listing;
mod model;
mod names;
mod namespaces;
mod promises;
mod restart;
mod time;
mod values;

/// All checks, in the order of reports.
#[must_use]
pub fn all() -> Vec<Check> {
    [
        promises::CHECKS,
        model::CHECKS,
        values::CHECKS,
        listing::CHECKS,
        names::CHECKS,
        namespaces::CHECKS,
        batches::CHECKS,
        expectations::CHECKS,
        concurrency::CHECKS,
        restart::CHECKS,
        faults::CHECKS,
        limits::CHECKS,
        time::CHECKS,
    ]
    .concat()
}

/// A check of every subject.
const fn check(
    number: &'static str,
    sentence: &'static str,
    source: &'static str,
    run: fn(&Bench) -> Outcome,
) -> Check {
    only(Needs::Nothing, number, sentence, source, run)
}

/// A check of some subjects.
const fn only(
    needs: Needs,
    number: &'static str,
    sentence: &'static str,
    source: &'static str,
    run: fn(&Bench) -> Outcome,
) -> Check {
    Check { number, sentence, source, needs, run }
}

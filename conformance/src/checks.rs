//! The checks, by the part of the contract they hold a store to. A new one is a function and a row
//! in its module's table; every subject is held to it from then on.

use crate::bench::Bench;
use crate::check::{Check, Group, Needs, Outcome, Run};

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
mod readers;
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
        readers::CHECKS,
        restart::CHECKS,
        faults::CHECKS,
        limits::CHECKS,
        time::CHECKS,
    ]
    .concat()
}

/// The list of properties as the documentation shows it. Those of servers are known only to a build
/// with the feature `http`.
#[must_use]
pub fn markdown() -> String {
    let stores = format!("{}\n{}", STORES, table(&all(), &Group::ALL));
    #[cfg(feature = "http")]
    let stores = format!("{stores}\n{}\n{}", SERVERS, table(&crate::api::all(), &Group::API));
    stores
}

const STORES: &str = "## Of stores";
#[cfg(feature = "http")]
const SERVERS: &str = "## Of servers, through the HTTP API";

fn table(checks: &[Check], groups: &[Group]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("\n{} properties, generated from the checks.\n", checks.len());
    for group in groups {
        let _ = writeln!(
            text,
            "\n### {}\n\n| | property | of | source |\n|---|---|---|---|",
            group.title()
        );
        for check in checks.iter().filter(|check| check.group() == *group) {
            let of = check.needs.of();
            let _ = writeln!(
                text,
                "| {} | {} | {of} | {} |",
                check.number, check.sentence, check.source
            );
        }
    }
    text
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
    Check { number, sentence, source, needs, group: Group::of(number), run: Run::Store(run) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn the_documentation_lists_the_checks_there_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/PROPERTIES.md");
        let text = super::markdown();
        if cfg!(feature = "http") && std::env::var_os("LARDER_CONFORMANCE_WRITE").is_some() {
            std::fs::write(path, &text).expect("PROPERTIES.md can be written");
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        // Without the feature `http` the list of this build is the beginning of the whole.
        assert!(
            if cfg!(feature = "http") { text == written } else { written.starts_with(&text) },
            "write PROPERTIES.md anew with LARDER_CONFORMANCE_WRITE=1 cargo test --features http"
        );
    }

    #[test]
    fn numbers_are_unique_and_groups_known() {
        let mut numbers = HashSet::new();
        #[cfg(feature = "http")]
        let servers = crate::api::all();
        #[cfg(not(feature = "http"))]
        let servers = Vec::new();
        for check in super::all().into_iter().chain(servers) {
            assert!(numbers.insert(check.number), "{} stands for two checks", check.number);
            assert_eq!(check.number.as_bytes()[0], check.group().letter(), "{}", check.number);
        }
        assert!(numbers.len() >= 80, "only {} checks", numbers.len());
    }
}

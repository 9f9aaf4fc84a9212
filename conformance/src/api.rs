//! The HTTP lane: the contract of the service as a client sees it, of any server that speaks it.
//!
//! ```no_run
//! use larder_conformance::api::{self, Server};
//! use larder_conformance::run::Settings;
//!
//! let server = Server::new("http://127.0.0.1:8080").with_key("X-API-Key", "secret");
//! let battery = api::Battery::connect(server, Settings::default())?;
//! let report = battery.run_all();
//! assert!(report.is_clean());
//! # Ok::<(), String>(())
//! ```
//!
//! All of it happens in namespaces whose names are made up for the run (`lc-`, six random characters,
//! a number), and these are cleared when their check ends, failed or not. Nothing else on the server
//! is written, updated or deleted. A check speaks only of its own namespaces, so that what others do
//! on the server meanwhile does not matter; no route is called whose effect reaches further.
//!
//! A counter-example is the calls that led to it, as `curl` lines with what was answered.

mod battery;
mod case;
mod children;
mod client;
mod concurrency;
mod content;
mod entries;
mod errors;
mod fidelity;
mod hashes;
mod history;
mod listings;
mod namespaces;
mod spaces;

use crate::check::{Check, Group, Needs, Outcome, Run};

pub use battery::{Battery, Server};
pub(crate) use case::Api;

/// All checks of servers, in the order of reports.
#[must_use]
pub fn all() -> Vec<Check> {
    [
        entries::CHECKS,
        fidelity::CHECKS,
        hashes::CHECKS,
        children::CHECKS,
        namespaces::CHECKS,
        listings::CHECKS,
        concurrency::CHECKS,
        errors::CHECKS,
    ]
    .concat()
}

/// A check of every server.
const fn check(
    group: Group,
    number: &'static str,
    sentence: &'static str,
    source: &'static str,
    run: fn(&Api) -> Outcome,
) -> Check {
    only(Needs::Nothing, group, number, sentence, source, run)
}

/// A check of some servers.
const fn only(
    needs: Needs,
    group: Group,
    number: &'static str,
    sentence: &'static str,
    source: &'static str,
    run: fn(&Api) -> Outcome,
) -> Check {
    Check { number, sentence, source, needs, group, run: Run::Api(run) }
}

//! The storage contract of Larder as tests: hold any store to it.
//!
//! # For authors of stores
//!
//! Implement [`Storage`], or only its blocking twin [`BlockingStorage`]. Then the whole of
//! `tests/conformance.rs` is:
//!
//! ```no_run
//! # mod mystore {
//! #     use larder::storage::{Durability, disk::Disk};
//! #     pub struct Store;
//! #     impl Store {
//! #         pub fn open(home: &std::path::Path) -> larder::storage::Result<Disk> {
//! #             Disk::open(home, Durability::Relaxed)
//! #         }
//! #     }
//! # }
//! use std::path::Path;
//!
//! use larder_conformance::{Opened, Subject, blocking};
//! use mystore::Store;
//!
//! struct MyStore;
//!
//! impl Subject for MyStore {
//!     /// The same home shows the same data; other homes share nothing with it.
//!     async fn open(&self, home: &Path) -> Opened {
//!         Ok(blocking(Store::open(home)?)) // of one that is async: Ok(std::sync::Arc::new(…))
//!     }
//! }
//!
//! larder_conformance::main!(MyStore);
//! ```
//!
//! For a store that lives in the process, or that one opener at a time may have, [`InProcess`] gives
//! the same store to whoever opens the same home:
//!
//! ```no_run
//! # mod mystore { pub use larder::storage::memory::Memory as Store; }
//! # use std::path::Path;
//! # use larder_conformance::{InProcess, Opened, Subject};
//! # use mystore::Store;
//! struct MyStore(InProcess<Store>);
//!
//! impl Subject for MyStore {
//!     async fn open(&self, home: &Path) -> Opened {
//!         Ok(self.0.open(home, Store::new)) // of one that blocks: blocking_shared(…)
//!     }
//! }
//!
//! larder_conformance::main!(MyStore(InProcess::new()));
//! ```
//!
//! Either needs this in `Cargo.toml`:
//!
//! ```toml
//! [dev-dependencies]
//! larder-conformance = "0.1"
//!
//! [[test]]
//! name = "conformance"
//! harness = false    # the battery brings its own runner, so that "not checked" can be said
//!
//! [profile.dev.package.larder-conformance]    # four times faster; profiles are not inherited
//! opt-level = 1
//! [profile.dev.package.proptest]
//! opt-level = 2
//! ```
//!
//! `cargo test` then shows one named test per property. Filters, `--exact`, `--skip`, `--list` and
//! `--test-threads` work as usual: `cargo test -- X-04`. A check that is added to the battery reaches
//! every store; nothing is copied.
//!
//! # Promises
//!
//! What a store says in [`Promises`](larder::storage::Promises) is tested, and so is the opposite of
//! what it does not say: a store that does not promise to survive a restart must be empty after one.
//! (Only that a batch *never* leaves a part of itself cannot be shown by trying; reports say so.)
//! What cannot be tried on a store is listed as `ignored` with the reason, and again at the end of
//! the run under `not checked`; no check passes without having tried.
//!
//! # Reading a failure
//!
//! ```text
//! ---- M-01 Any history of one handle in one namespace is answered as the model answers it (sentences 1 to 8)
//! apply 0 ns: put ns:a 0/5/8 any: get "ns/a" gave "<0><0", not "<8><8"
//! apply 0 ns: put ns:a 0/5/0 any
//! apply 0 ns: put ns:a 0/5/8 any
//! again: LARDER_CONFORMANCE_SEED=0 LARDER_CONFORMANCE_CASES=64 cargo test -- 'mystore::M-01'
//! ```
//!
//! First the number, the sentence and where the contract says so; then what was expected and what
//! came; then the smallest program that shows it, one operation a line: `apply HANDLE NAMESPACE:` with
//! `put KEY KIND/LENGTH/MARK GUARD` and `delete KEY GUARD`, steps separated by `then`. Such programs
//! are kept in `conformance-regressions/` beside your `Cargo.toml` and run first from then on; keep
//! them in your repository. Failures of the concurrent checks show a table of overlapping calls; the
//! same seed makes the same plan, though not the same interleaving. `inconclusive` means that the run
//! was too poor to tell, which is a failure of the run.
//!
//! Races count how many calls began while another was under way, one of the two being a write, and are
//! run again until enough of them did. On a machine too busy for that the check is listed as not
//! checked, with the count: that calls came one after the other is no fault of the store, and no pass.
//!
//! # Time and memory
//!
//! `LARDER_CONFORMANCE_CASES` (default 64) scales everything: programs, races, kills.
//! `LARDER_CONFORMANCE_SEED` is a number or `random`; a plain run uses 0, so that it is the same
//! everywhere. `LARDER_CONFORMANCE_HOMES` is the directory in which stores get their homes: `/dev/shm` where
//! that is a file system in memory with a gigabyte of room (creating files is ten times faster there, and
//! killing a process shows nothing of what reached a disk), else the temporary folder. A run on the memory store takes a few seconds on two cores and stays below 200 MB; the
//! largest values written are of 8 MiB, the most objects 5,000 ([`Limits`] lowers both). A check that does
//! not end within two minutes (six on stores that say they are slow) has failed.
//!
//! # Reports
//!
//! With the feature `reports`, `LARDER_CONFORMANCE_REPORT=html=page.html,junit=junit.xml,json=run.json`
//! makes a test program write its findings down as well: a page for people, JUnit for CI servers, JSON
//! for other programs. (`text=FILE` needs no feature.)
//!
//! # Servers and stores that run
//!
//! With the feature `http` the module `api` holds any server of the HTTP API to properties of its own
//! (`H-01` and on), and with the feature `command` there is a program for both:
//!
//! ```text
//! cargo install larder-conformance --features command
//! larder-conformance run --http http://127.0.0.1:8080 --api-key secret --report html=page.html
//! larder-conformance run --store disk:/var/lib/larder
//! ```
//!
//! Either works in namespaces of its own beside what is there, and clears them in the end; the module
//! `command` says what is touched and what a guest cannot ask. Exit status 0: all that was checked
//! holds; 1: violations; 2: could not run.
//!
//! # The battery's own test
//!
//! `tests/mutants` holds the battery to more than two hundred stores with one planted bug each. Every
//! one must be found by the check named for it, with three seeds, at the default case count, and
//! nothing may be found in the stores without a bug. The checks of servers are held to servers with
//! planted bugs in the same way, in `tests/lane` of the service.
//!
//! One check has no such store, K-17 (a value once read does not change when its key does). Values are
//! [`bytes::Bytes`], which nobody can change who only has them: a store that overwrote what it gave
//! away would need `unsafe`, its own or that of a file mapped into memory. Stores with such a map exist,
//! so the check stays. `MUTANTS.md` tells of changes to the code of the checks themselves.
//!
//! # The properties
//!
#![doc = include_str!("../PROPERTIES.md")]

#[cfg(feature = "http")]
pub mod api;
pub mod check;
pub mod checks;
#[cfg(feature = "command")]
pub mod command;
pub mod faulty;
pub mod linear;
pub mod report;
pub mod run;
pub mod runner;
pub mod wrappers;

mod adapter;
mod bench;
mod execute;
#[cfg(feature = "http")]
mod gate;
mod model;
mod names;
mod ops;
mod replay;
mod stateful;
mod subject;
mod worker;

pub use bench::DEFAULT_CASES;
pub use larder;
pub use larder::storage::{Storage, blocking::BlockingStorage};
pub use subject::{
    AnySubject, BoxError, Damage, InProcess, Limits, Opened, Subject, blocking, blocking_shared,
};

/// A name for a run that no other has: `lc-` and six random characters, fit for a namespace.
#[cfg(any(test, feature = "http"))]
pub(crate) fn run_name() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letter = |nth: u64| char::from(letters[(random >> (5 * nth)) as usize % letters.len()]);
    (0..6)
        .map(letter)
        .fold(String::from("lc-"), |name, letter| name + letter.encode_utf8(&mut [0; 4]))
}

/// Makes the test program: `larder_conformance::main!(MyStore);`, or several subjects.
#[macro_export]
macro_rules! main {
    ($($subject:expr),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::runner::main(
                ::std::vec![$($crate::AnySubject::new($subject)),+],
                env!("CARGO_MANIFEST_DIR"),
            )
        }
    };
}

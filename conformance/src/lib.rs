//! The storage contract of Larder as tests.

pub mod check;
pub mod checks;
pub mod faulty;
pub mod linear;
pub mod report;
pub mod run;
pub mod runner;

mod bench;
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
pub use subject::{AnySubject, BoxError, Damage, InProcess, Limits, Opened, Subject, blocking};

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

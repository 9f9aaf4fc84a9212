//! The integration tier: Larder against real S3 servers. `just test-integration` runs it.
//!
//! It starts LocalStack in a container and removes it at the end. With `LARDER_TEST_S3_ENDPOINT` it runs
//! against the server at that URL instead, with the ordinary AWS variables for credentials and region.
//! With neither a server nor an engine for containers it fails and says what is missing; nothing is
//! skipped.
//!
//! What it runs, each a named test that can be picked as usual: every recorded transcript over the API
//! on S3, what only S3 has to do, the number of requests each call costs, and the conformance battery.
//!
//! With `LARDER_TEST_TIER=qa` (`just test-qa`) it is the QA tier instead: see `qa.rs`.

mod battery;
mod bucket;
mod live;
mod qa;
mod requests;
mod server;
mod transcripts;

/// The player of transcripts and the router of the ordinary tests.
#[expect(
    dead_code,
    unreachable_pub,
    reason = "made for another test binary, whose runner takes its tests"
)]
#[path = "../it"]
mod it {
    pub mod harness;
    pub mod replay;
}

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use larder_conformance::AnySubject;
use libtest_mimic::{Arguments, Trial};

/// Rounds of the battery: each costs a server in a container tens of milliseconds a change.
const CASES: (&str, &str) = ("LARDER_CONFORMANCE_CASES", "4");

/// Tests at once, unless asked for otherwise: they wait for the server, whatever this machine has.
const THREADS: [&str; 2] = ["--test-threads", "8"];

fn main() -> ExitCode {
    let Some(server) = server::Server::of_run() else {
        return if qa::is_asked() { qa::main() } else { with_server() };
    };
    let subjects = vec![AnySubject::new(battery::InBucket::new(server.clone()))];
    if let Some(code) = larder_conformance::runner::serve_if_asked(&subjects) {
        return code;
    }

    let mut trials: Vec<Trial> = transcripts::trials(&server);
    trials.extend(bucket::trials(&server));
    trials.extend(requests::trials(&server));
    let own = libtest_mimic::run(&Arguments::from_args(), trials);
    let battery = larder_conformance::runner::main(subjects, env!("CARGO_MANIFEST_DIR"));
    if own.has_failed() { ExitCode::from(101) } else { battery }
}

/// Runs this program again, on the server that these variables name.
fn again(variables: &[(&str, String)]) -> Result<u8, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut again = Command::new(std::env::current_exe().map_err(told)?);
    let given: Vec<_> = std::env::args_os().skip(1).collect();
    let threads = |arg: &OsString| arg.to_string_lossy().starts_with(THREADS[0]);
    if !given.iter().any(threads) {
        again.args(THREADS);
    }
    again.args(given).envs(variables.iter().cloned());
    if std::env::var_os(CASES.0).is_none() {
        again.env(CASES.0, CASES.1);
    }
    let status = again.status().map_err(told)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(101))
}

/// Starts a server unless there is one, runs this program again with its address, and takes it down.
fn with_server() -> ExitCode {
    let outcome = if server::is_named() {
        again(&server::new_run())
    } else {
        server::Container::start().and_then(|container| again(&container.variables()))
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// A test that needs an async runtime.
fn trial<F>(name: impl Into<String>, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    Trial::test(name, move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test());
        Ok(())
    })
}

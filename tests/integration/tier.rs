//! The integration tier: Larder against real S3 servers. `just test-integration` runs it.
//!
//! It starts LocalStack in a container and removes it at the end. With `LARDER_TEST_S3_ENDPOINT` it runs
//! against the server at that URL instead, with the ordinary AWS variables for credentials and region.
//! With neither a server nor an engine for containers it fails and says what is missing; nothing is
//! skipped.
//!
//! What it runs, each a named test that can be picked as usual: every recorded transcript over the API
//! on S3, what only S3 has to do, the number of requests each call costs, and the conformance battery.

mod battery;
mod bucket;
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

use std::process::{Command, ExitCode};

use larder_conformance::AnySubject;
use libtest_mimic::{Arguments, Trial};

/// Rounds of the battery: each costs a server in a container tens of milliseconds a change.
const CASES: (&str, &str) = ("LARDER_CONFORMANCE_CASES", "4");

fn main() -> ExitCode {
    let Some(server) = server::Server::of_run() else {
        return with_server();
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

/// Starts a server unless there is one, runs this program again with its address, and takes it down.
fn with_server() -> ExitCode {
    let again = |variables: &[(&str, String)]| -> std::io::Result<u8> {
        let mut again = Command::new(std::env::current_exe()?);
        again.args(std::env::args_os().skip(1)).envs(variables.iter().cloned());
        if std::env::var_os(CASES.0).is_none() {
            again.env(CASES.0, CASES.1);
        }
        Ok(again.status()?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(101))
    };
    let outcome = if server::is_named() {
        again(&server::new_run()).map_err(|error| error.to_string())
    } else {
        server::Container::start()
            .and_then(|container| again(&container.variables()).map_err(|error| error.to_string()))
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

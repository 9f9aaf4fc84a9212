//! `larder-conformance`: holds a store or a server that already runs to the contract.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder_conformance::command::main()
}

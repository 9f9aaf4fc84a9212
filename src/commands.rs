//! The commands beside serving. What they do is the library's; here is what they say.

use std::process::ExitCode;
use std::sync::Arc;

use larder::config::StorePlace;
use larder::http;
use larder::storage::Storage;
use larder::storage::open::open_place;

pub(crate) mod copy;
mod progress;
pub(crate) mod verify;

/// The target does not hold all of it, or there are findings.
const EXIT_FINDINGS: u8 = 1;
/// The command could not be carried out.
const EXIT_FAILED: u8 = 2;

/// Ends a command that could not be carried out.
#[expect(clippy::print_stderr, reason = "the last words of a command")]
pub(crate) fn failed(error: &str) -> ExitCode {
    eprintln!("larder: {error}");
    ExitCode::from(EXIT_FAILED)
}

fn ended(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FINDINGS) }
}

/// Opens a store that must be there: opening one that is not would make an empty one.
async fn open_there(place: &StorePlace, doing: &str) -> Result<Arc<dyn Storage>, String> {
    let there = place.path().map_or(Ok(true), std::path::Path::try_exists);
    match there {
        Ok(true) => open_lasting(place, doing).await,
        Ok(false) => Err(format!("there is no store at {}", place.address)),
        Err(error) => Err(format!("cannot look at {}: {error}", place.address)),
    }
}

/// Opens a store, or makes it.
async fn open_lasting(place: &StorePlace, doing: &str) -> Result<Arc<dyn Storage>, String> {
    if !place.lasts() {
        return Err(format!(
            "{}: a store in memory is its own process's alone, there is nothing to {doing}",
            place.address
        ));
    }
    let opened = open_place(place).await;
    opened.map_err(|error| format!("{}: {}", place.address, http::chain(&error)))
}

/// A size for people.
fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

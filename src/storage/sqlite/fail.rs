//! What went wrong, in words; and which of the contract's errors it is.

use std::io;

use rusqlite::ffi::{ErrorCode, SQLITE_IOERR_SHMSIZE};

use crate::storage::{BoxError, Error};

/// The name of this store in errors.
pub(super) const BACKEND: &str = "sqlite";

#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} {place:?}")]
struct Trouble {
    doing: &'static str,
    place: String,
    source: BoxError,
}

/// For `map_err`: names what was being done, and where, and sorts the cause by what can be done.
pub(super) fn failed<E: Into<Cause>>(
    doing: &'static str,
    place: impl Into<String>,
) -> impl FnOnce(E) -> Error {
    move |cause| {
        let Cause(kind, source) = cause.into();
        let place = place.into();
        let at = place.clone();
        let source = Trouble { doing, place, source }.into();
        match kind {
            Kind::Full => Error::Full { backend: BACKEND, needed: 0 },
            Kind::TooLarge => Error::Full { backend: BACKEND, needed: u64::MAX },
            Kind::Unavailable => Error::Unavailable { backend: BACKEND, source },
            Kind::Corrupt => Error::Corrupt { backend: BACKEND, at, source },
            Kind::Other => Error::Other { backend: BACKEND, source },
        }
    }
}

/// What lies in the database is not what this store, or the Python service, writes.
pub(super) fn foreign(place: impl Into<String>, what: impl Into<BoxError>) -> Error {
    Error::Corrupt { backend: BACKEND, at: place.into(), source: what.into() }
}

/// The same again, for everyone else whom it befell.
pub(super) fn again(error: &Error) -> Error {
    let source = || chain(error).into();
    match error {
        Error::Conflict { key } => Error::Conflict { key: key.clone() },
        Error::Full { backend, needed } => Error::Full { backend, needed: *needed },
        Error::Unavailable { backend, .. } => Error::Unavailable { backend, source: source() },
        Error::Corrupt { backend, at, .. } => {
            Error::Corrupt { backend, at: at.clone(), source: source() }
        }
        Error::Other { backend, .. } => Error::Other { backend, source: source() },
    }
}

/// The causes of an error, outermost first, without the error itself.
fn chain(error: &Error) -> String {
    let mut words = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        words.push(found.to_string());
        cause = found.source();
    }
    words.join(": ")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Full,
    TooLarge,
    Unavailable,
    Corrupt,
    Other,
}

/// A cause and what can be done about it.
#[derive(Debug)]
pub(super) struct Cause(Kind, BoxError);

impl From<rusqlite::Error> for Cause {
    fn from(error: rusqlite::Error) -> Self {
        Self(kind(&error), error.into())
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        // Reading a long value piece by piece wraps what SQLite said.
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<rusqlite::Error>());
        Self(inside.map_or(Kind::Other, kind), error.into())
    }
}

fn kind(error: &rusqlite::Error) -> Kind {
    let Some(told) = error.sqlite_error() else { return Kind::Other };
    match told.code {
        ErrorCode::DiskFull => Kind::Full,
        // The file beside the log, which says what is where in it, could not grow.
        ErrorCode::SystemIoFailure if told.extended_code == SQLITE_IOERR_SHMSIZE => Kind::Full,
        ErrorCode::TooBig => Kind::TooLarge,
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OutOfMemory
        // Too many open files, most of the time.
        | ErrorCode::CannotOpen => Kind::Unavailable,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Kind::Corrupt,
        _ => Kind::Other,
    }
}

//! What went wrong with a file, in words; and which of the contract's errors it is.

use std::io;

use rustix::io::Errno;

use super::Error;

/// What went wrong, in words.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} {place:?}")]
pub(super) struct Trouble {
    pub(super) doing: &'static str,
    pub(super) place: String,
    pub(super) source: io::Error,
}

/// For `map_err`: names what was being done, and where, and sorts the cause by what can be done.
pub(super) fn failed<E: Into<io::Error>>(
    backend: &'static str,
    doing: &'static str,
    place: impl Into<String>,
) -> impl FnOnce(E) -> Error {
    move |source| {
        let source = source.into();
        let errno = Errno::from_io_error(&source);
        let trouble = Trouble { doing, place: place.into(), source };
        match errno {
            Some(Errno::NOSPC | Errno::DQUOT) => Error::Full { backend, needed: 0 },
            Some(
                Errno::MFILE
                | Errno::NFILE
                | Errno::NOMEM
                | Errno::AGAIN
                | Errno::INTR
                | Errno::BUSY
                | Errno::STALE
                | Errno::TIMEDOUT
                | Errno::NOLCK,
            ) => Error::Unavailable { backend, source: trouble.into() },
            _ => Error::Other { backend, source: trouble.into() },
        }
    }
}

//! What went wrong, in words; and which of the contract's errors it is.

use std::io;

use rustix::io::Errno;

use crate::storage::Error;

/// The name of this store in errors.
pub(super) const BACKEND: &str = "disk";

#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} {place:?}")]
struct Trouble {
    doing: &'static str,
    place: String,
    source: io::Error,
}

/// For `map_err`: names what was being done, and where, and sorts the cause by what can be done.
pub(super) fn failed<E: Into<io::Error>>(
    doing: &'static str,
    place: impl Into<String>,
) -> impl FnOnce(E) -> Error {
    move |source| {
        let source = source.into();
        let errno = Errno::from_io_error(&source);
        let trouble = Trouble { doing, place: place.into(), source };
        match errno {
            Some(Errno::NOSPC | Errno::DQUOT) => Error::Full { backend: BACKEND, needed: 0 },
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
            ) => Error::Unavailable { backend: BACKEND, source: trouble.into() },
            _ => Error::Other { backend: BACKEND, source: trouble.into() },
        }
    }
}

/// Something stands at a name that is neither a file nor a folder.
pub(super) fn foreign(place: impl Into<String>) -> Error {
    let source = io::Error::other(
        "it is a symbolic link, a pipe, a socket or a device, none of which this store follows",
    );
    failed("read", place)(source)
}

/// The folder of the store was deleted while it was in use.
pub(super) fn root_gone(root: &std::path::Path) -> Error {
    let source = io::Error::new(io::ErrorKind::NotFound, "the folder of the store was deleted");
    let trouble = Trouble { doing: "use", place: root.display().to_string(), source };
    Error::Unavailable { backend: BACKEND, source: trouble.into() }
}

//! What went wrong, in words; and which of the contract's errors it is.

use std::io;

use crate::storage::Error;
use crate::storage::files::{self, Trouble};

/// The name of this store in errors.
pub(super) const BACKEND: &str = "disk";

/// [`files::failed`] of this store.
pub(super) fn failed<E: Into<io::Error>>(
    doing: &'static str,
    place: impl Into<String>,
) -> impl FnOnce(E) -> Error {
    files::failed(BACKEND, doing, place)
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

//! The store in a ZIP archive, through its public surface and through other readers: what is
//! particular to it. What every store must do is the battery's business (`conformance/tests/zip.rs`).
#![cfg(all(unix, feature = "zip"))]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "how often to kill, and with which seed, comes from outside"
)]

mod checkpoint;
mod crash;
mod full;
mod help;
mod journal;
#[expect(
    dead_code,
    reason = "contents that are packed are laid out and made up in a way of their own"
)]
#[path = "../support/crash.rs"]
mod killed;
mod layout;
#[path = "../support/full.rs"]
mod roomless;
#[cfg(feature = "server")]
#[path = "../support/service.rs"]
mod running;
mod service;
#[path = "../support/stores.rs"]
mod stores;
mod trouble;

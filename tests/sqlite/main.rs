//! The store in a SQLite database, through its public surface and through SQLite itself: what is
//! particular to it. What every store must do is the battery's business (`conformance/tests/sqlite.rs`).
#![cfg(feature = "sqlite")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "how often to kill, and with which seed, comes from outside"
)]

mod commits;
#[path = "../support/counting.rs"]
mod counting;
mod crash;
mod foreign;
mod full;
mod help;
#[path = "../support/crash.rs"]
mod killed;
mod layout;
mod listing;
#[path = "../support/full.rs"]
mod roomless;
mod sharing;
#[expect(dead_code, reason = "each kind of store needs some of it")]
#[path = "../support/stores.rs"]
mod stores;

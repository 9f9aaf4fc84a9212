//! The store on a local disk, through its public surface: what is particular to it. What every store
//! must do is the battery's business (`conformance/tests/disk.rs`).
#![cfg(all(unix, feature = "disk"))]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "how often to kill, and with which seed, comes from outside"
)]

mod clash;
#[path = "../support/counting.rs"]
mod counting;
mod crash;
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
mod trouble;

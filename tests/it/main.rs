//! The API from outside, over the router of the real service on memory.

#![expect(unreachable_pub, reason = "`pub` marks what other modules of this one binary use")]

mod api;
mod command;
mod copying;
mod corners;
#[cfg(feature = "s3")]
#[path = "../support/fake_s3.rs"]
mod fake_s3;
mod golden;
mod harness;
mod hash_vectors;
mod names;
mod old_stores;
mod openapi;
mod replay;
#[cfg(feature = "s3")]
mod s3;
#[path = "../support/service.rs"]
mod service;
mod tidy;
mod trouble;
mod verifying;

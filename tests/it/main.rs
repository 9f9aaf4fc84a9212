//! The API from outside, over the router of the real service on memory.

mod api;
mod command;
mod golden;
mod harness;
mod hash_vectors;
mod names;
mod replay;
mod tidy;

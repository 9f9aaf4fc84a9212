//! Larder: a cache service over interchangeable stores.
pub mod cache;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod http;
pub mod key;
pub mod storage;

//! Larder: a cache service over interchangeable stores.
pub mod key;
pub mod storage;

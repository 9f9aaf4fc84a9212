//! Addresses under which values can be read without the service in between.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::key::Key;

/// What stores on other servers can do beside [`Storage`](super::Storage): let whoever has a signed
/// address read one value from that server, for a while.
#[async_trait]
pub trait Presign: fmt::Debug + Send + Sync + 'static {
    /// The address of the value of a key, for reading with GET until `valid` from now; the answer will
    /// say that it is of this media type. Whether there is a value is not looked at.
    async fn presign(&self, key: &Key, media_type: &str, valid: Duration) -> Result<String>;
}

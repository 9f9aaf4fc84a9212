//! Objects in a bucket of S3 or of a server that speaks its protocol.
//!
//! One object a key, named as the key (the Python service's layout), below a prefix if the bucket is
//! shared. A version is the entity tag: the MD5 of the value, or with SSE-KMS an opaque text that is
//! another one for every write; either way equal tags of a key mean equal bytes.
//!
//! # What is exact
//!
//! Every object is written and removed whole and atomically, and expectations go to S3 with the write
//! they guard (`If-None-Match: *`, `If-Match`), so they hold between threads, processes and nodes. What
//! S3 does not have is a condition over several objects. A step is therefore carried out so:
//!
//! - *No expectation:* all changes at once.
//! - *One expectation:* its change first; when it is refused, nothing of the step was sent. Exact.
//! - *Several:* all are looked at first, so that the usual conflict changes nothing. Then they are
//!   carried out one by one, each with its condition. Should one still be refused, because someone
//!   else was quicker in between, those before it are taken back, again on condition that nobody
//!   changed them since. A conflict leaves nothing behind, but for a moment others may have seen a
//!   value that was then taken back, and a process killed in that moment leaves it. Trouble while
//!   taking back is reported as trouble, which promises nothing about the step.
//!
//! # Removal on a condition
//!
//! S3 removes on condition (`If-Match` on DELETE); many servers that speak its protocol do not, and the
//! probe at the start finds out. On those a removal first replaces the value, on condition, by a
//! marker that everyone reads as absence, and then removes the marker; writers that meet one wait for
//! it to go (see `erase.rs`). This costs a request more a removal, two more for overwriting without an
//! expectation, and one for every folder in a listing (see `unmarked.rs`). One thing is not exact there:
//! a batch that removes more than thirty-two keys without expectations goes by DeleteObjects, and when
//! it meets somebody else's removal on condition **and** somebody's creation of the same key at the same
//! time, that creation can be lost.
//!
//! # Trouble
//!
//! Answers of the kind that pass (5xx, 429, SlowDown, 409, time-outs, resets) are tried again with a
//! growing, random pause until the call's deadline; then the call fails as unavailable. A write whose
//! answer was lost may have happened, and trying again then meets its own doing: writes carry a mark by
//! which they are recognised, and what cannot be decided is reported as unavailable, never as a
//! conflict. A bucket that is not there is an error and not a miss.
//!
//! A write without an expectation is sent again just so, and may then happen twice. The contract does not
//! say otherwise: until it is answered its place in time is open, so what another wrote meanwhile may
//! be replaced by it, as by one that came a moment later. Only who looked at the right moments can tell:
//! first this value, then the other, then this one. Keys of which that would break something must be
//! written with expectations always, as the service writes the references by hash; content, its side
//! files and what is said by id are written without, and are whole and of one writer either way.

mod connect;
mod erase;
mod lifecycle;
mod list;
mod object;
mod presign;
mod probe;
mod request;
mod steps;
mod unmarked;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
pub use aws_sdk_s3::config::Credentials;

use self::object::Current;
pub use self::request::Requests;
use self::request::{Call, Meter};
use super::{Batch, Error, List, Object, Page, Promises, Result, Stat, Storage, Version};
use crate::key::{InvalidName, Key, MAX_KEY_BYTES, Namespace, RelPath};

/// What errors call this store.
const BACKEND: &str = "s3";

/// The way to a bucket. What is `None` is left to the standard chains of the AWS client.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bucket.
    pub bucket: String,
    /// The folder of the bucket that holds the keys; empty for the whole bucket.
    pub key_prefix: String,
    /// The region.
    pub region: Option<String>,
    /// Address of an S3-compatible server.
    pub endpoint_url: Option<String>,
    /// Profile of the AWS configuration files.
    pub profile: Option<String>,
    /// An access key.
    pub credentials: Option<Credentials>,
    /// Whether the bucket stands in the path of requests and not in the host. `None`: with an
    /// `endpoint_url` only.
    pub path_style: Option<bool>,
    /// Whether a missing bucket is made.
    pub create_bucket: bool,
    /// What S3 is asked to encrypt with; `None`: the bucket's own setting.
    pub encryption: Option<Encryption>,
    /// How long one attempt of a request may take, beside a second for each MiB of value.
    pub attempt_timeout: Duration,
    /// How long a call of the store may take, attempts and pauses together, beside what its size adds.
    pub call_deadline: Duration,
    /// On servers that do not remove on condition: how long the marker of a removal is its owner's
    /// alone, before others take it for abandoned. The same for all users of a bucket.
    pub marker_life: Duration,
}

impl Settings {
    /// This bucket with the defaults of the service.
    #[must_use]
    pub fn new(bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            key_prefix: String::new(),
            region: None,
            endpoint_url: None,
            profile: None,
            credentials: None,
            path_style: None,
            create_bucket: true,
            encryption: None,
            attempt_timeout: Duration::from_secs(5),
            call_deadline: Duration::from_secs(20),
            marker_life: Duration::from_secs(8),
        }
    }

    /// Says where there was trouble at the start, which is when names and addresses are wrong.
    fn located(&self, trouble: Error) -> Error {
        let address = self.endpoint_url.as_ref().map(|url| format!(" at {url}"));
        let place = format!("bucket {}{}", self.bucket, address.unwrap_or_default());
        match trouble {
            Error::Unavailable { source, .. } => unavailable(format!("{place}: {source}")),
            Error::Other { source, .. } => other(format!("{place}: {source}")),
            other => other,
        }
    }
}

/// Server-side encryption of what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// `AES256`: keys that S3 keeps.
    Aes256,
    /// `aws:kms`: keys of the Key Management Service.
    Kms {
        /// The key; `None`: the account's own for S3.
        key_id: Option<String>,
    },
}

/// The store in a bucket, or below a prefix of one. Clones share everything.
#[derive(Clone)]
pub struct S3 {
    bucket: Arc<Bucket>,
    /// Empty, or ends with a slash.
    prefix: Arc<str>,
}

/// A bucket and how it is spoken to.
struct Bucket {
    client: Client,
    name: String,
    encryption: Option<Encryption>,
    attempt_timeout: Duration,
    call_deadline: Duration,
    marker_life: Duration,
    /// Whether the server removes on condition.
    conditional_delete: bool,
    meter: Meter,
}

impl S3 {
    /// Connects, makes the bucket if it is missing and may be made, and makes sure that the server
    /// honours conditions on writes. Needs a tokio runtime around this and all later calls.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when the server cannot be reached, [`Error::Other`] when it refuses, when
    /// the bucket is missing and may not be made, and when the server ignores conditions.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let prefix = folder(&settings.key_prefix)?;
        let mut bucket = connect::connect(settings).await?;
        let found = async {
            bucket.ensure(settings).await?;
            bucket.probe(&prefix).await
        };
        bucket.conditional_delete = found.await.map_err(|trouble| settings.located(trouble))?;
        Ok(Self { bucket: Arc::new(bucket), prefix: prefix.into() })
    }

    /// Another store in the same bucket, in a folder below this one's, over the same connections.
    ///
    /// # Errors
    ///
    /// [`Error::Other`] for a prefix that is no clean path.
    pub fn under(&self, prefix: &str) -> Result<Self> {
        let prefix = format!("{}{}", self.prefix, folder(prefix)?);
        Ok(Self { bucket: Arc::clone(&self.bucket), prefix: folder(&prefix)?.into() })
    }

    /// What has been sent so far by this store and all that share its connections.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.bucket.meter.requests()
    }

    /// The longest key in bytes: what S3 takes, without the prefix.
    #[must_use]
    pub fn max_key_bytes(&self) -> usize {
        MAX_KEY_BYTES.saturating_sub(self.prefix.len())
    }

    /// The name of an object in the bucket.
    fn name(&self, key: &Key) -> String {
        format!("{}{}", self.prefix, key.as_str())
    }

    /// A call of this store, on so many keys and bytes.
    fn call(&self, keys: usize, bytes: u64) -> Call {
        let keys = u32::try_from(keys).unwrap_or(u32::MAX);
        let extra = Duration::from_millis(20) * keys + Duration::from_secs(bytes >> 20);
        Call::within(self.bucket.call_deadline + extra)
    }
}

/// A prefix as it is put before keys: empty, or a clean path that ends with a slash.
fn folder(prefix: &str) -> Result<String> {
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() {
        return Ok(String::new());
    }
    let path: Result<_, InvalidName> = RelPath::parse(prefix);
    let path = path.map_err(|wrong| other(format!("the key prefix {prefix:?}: {wrong}")))?;
    Ok(format!("{}/", path.as_str()))
}

fn other(cause: impl Into<super::BoxError>) -> Error {
    Error::Other { backend: BACKEND, source: cause.into() }
}

fn unavailable(cause: impl Into<super::BoxError>) -> Error {
    Error::Unavailable { backend: BACKEND, source: cause.into() }
}

// Without the client, which shows its whole configuration.
impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket.name)
            .field("prefix", &self.prefix)
            .field("conditional_delete", &self.bucket.conditional_delete)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for S3 {
    fn promises(&self) -> Promises {
        Promises { atomic_batches: false, survives_restart: true, shared_between_processes: true }
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let found = self.bucket.get(&self.call(1, 0), &self.name(key)).await?;
        Ok(found.filter(Current::is_value).map(|found| Object {
            version: Version::from(found.etag.as_str()),
            bytes: found.bytes.into(),
        }))
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        let found = self.bucket.head(&self.call(1, 0), &self.name(key)).await?;
        Ok(found.filter(Current::is_value).map(|found| Stat {
            version: Version::from(found.etag.as_str()),
            size: found.size.into(),
        }))
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        // On a task of its own, so that a dropped call ends in order: a request cut off half way may
        // land much later, and a removal by marker must not stay half done.
        let store = self.clone();
        match tokio::spawn(async move { store.carry_out(batch).await }).await {
            Ok(answer) => answer,
            Err(lost) if lost.is_panic() => Err(other(lost)),
            // The runtime is shutting down.
            Err(lost) => Err(unavailable(lost)),
        }
    }

    async fn list(&self, query: List) -> Result<Page> {
        self.page(query).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.first_segments().await
    }
}

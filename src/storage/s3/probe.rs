//! Whether the server does what it is asked on condition. Some servers that speak the protocol of S3
//! take such requests and ignore the condition; on those references would be lost in silence.

use bytes::Bytes;
use futures_util::future::join_all;

use super::object::{Condition, Done, Value};
use super::request::{Call, Ended, random};
use super::{Bucket, other};
use crate::storage::Result;

/// An entity tag that nothing has.
const WRONG: &str = "\"00000000000000000000000000000000\"";

impl Bucket {
    /// Makes sure that writes on condition are just that, also when they come at once. Says whether
    /// the server removes on condition, too.
    pub(super) async fn probe(&self, prefix: &str) -> Result<bool> {
        let call = Call::within(self.call_deadline);
        // Without a slash, so that it lies in no namespace.
        let name = format!("{prefix}larder-probe-{:016x}", random());
        let verdict = self.try_writes(&call, &name).await;
        let verdict = match verdict {
            Ok(etag) => self.try_removal(&call, &name, &etag).await,
            Err(error) => Err(error),
        };
        let removed = self.delete(&call, &name).await;
        let conditional_delete = verdict?;
        removed?;
        Ok(conditional_delete)
    }

    async fn try_writes(&self, call: &Call, name: &str) -> Result<String> {
        let value = |text: &'static str| Value::Bytes(Bytes::from_static(text.as_bytes()));
        let values = ["one", "two", "three", "four"].map(value);
        let creations = values.iter().map(|value| self.put(call, name, value, Condition::Absent));
        let mut created = Vec::new();
        for answer in join_all(creations).await {
            if let Done::Yes(etag) = answer? {
                created.push(etag);
            }
        }
        let [etag] = created.as_slice() else {
            return Err(ignored("If-None-Match", &format!("{} of 4 creations", created.len())));
        };
        if self.put(call, name, &value("five"), Condition::At(WRONG)).await? != Done::Refused {
            return Err(ignored("If-Match", "a replacement of another version"));
        }
        match self.put(call, name, &value("six"), Condition::At(etag)).await? {
            Done::Yes(etag) => Ok(etag),
            Done::Refused => Err(other(
                "this S3 server refuses If-Match with the entity tag it gave; \
                 it cannot keep references safe",
            )),
        }
    }

    /// Removal on condition must spare another version, and say when nothing is there.
    async fn try_removal(&self, call: &Call, name: &str, etag: &str) -> Result<bool> {
        for (etag, expected) in [(WRONG, false), (etag, true), (etag, false)] {
            match self.delete_on(call, name, Some(etag)).await {
                Ok(()) if expected => {}
                Err(Ended::Answered { .. }) if !expected => {}
                // Also servers that find the request malformed, instead of saying that it is not
                // implemented. Trouble would have come up before.
                _ => {
                    tracing::info!(
                        store = "s3",
                        "the server does not remove on condition: removals take a write more"
                    );
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

fn ignored(header: &str, what: &str) -> crate::storage::Error {
    other(format!(
        "this S3 server ignores {header}: it let through {what} that it should have refused. \
         Without conditional writes references would be lost; use another server or mode"
    ))
}

//! Single objects: read, write, remove. Every one of these is one request if nothing goes wrong.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;
use tokio::time::timeout;

use super::request::{Call, Ended, Fault, Kind, fault, random, words};
use super::{Bucket, Encryption, unavailable};
use crate::storage::Result;

/// Metadata by which a conditional write recognises itself.
const WRITE: &str = "larder-write";
/// Metadata of the marker that stands for an object about to be removed.
const ERASED: &str = "larder-erased";
/// What objects without a type have, and what the Python service's objects have.
const CONTENT_TYPE: &str = "binary/octet-stream";

/// What stands under a name.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) etag: String,
    pub(super) size: u64,
    /// Empty when only the head was asked for.
    pub(super) bytes: Bytes,
    /// The mark of the write that made it, if it was a conditional one of ours.
    written_by: Option<String>,
    erased: bool,
}

impl Current {
    /// Whether it is a value, and not the marker of a removal.
    pub(super) fn is_value(&self) -> bool {
        !self.erased
    }
}

/// On which condition S3 is to write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'a> {
    Always,
    Absent,
    At(&'a str),
}

/// What a conditional request came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done<T> {
    Yes(T),
    /// The condition did not hold, and nothing was changed.
    Refused,
}

/// What is written.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Bytes(Bytes),
    /// The marker of a removal.
    Erased,
}

impl Bucket {
    /// Reads an object.
    pub(super) async fn get(&self, call: &Call, name: &str) -> Result<Option<Current>> {
        let request = self.client.get_object().bucket(&self.name).key(name);
        let attempt = || read(request.clone(), self.attempt_timeout);
        // The time of an attempt is watched above, where the size is known.
        let most = usize::MAX >> 1;
        match self.send(call, Kind::Read, most, attempt).await {
            Ok(found) => Ok(Some(found)),
            Err(Ended::Answered { missing: true, .. }) => Ok(None),
            Err(ended) => Err(ended.into_error()),
        }
    }

    /// Reads what is known of an object without its value.
    pub(super) async fn head(&self, call: &Call, name: &str) -> Result<Option<Current>> {
        let request = self.client.head_object().bucket(&self.name).key(name);
        let attempt = || {
            let request = request.clone();
            async move {
                let answer = request.send().await.map_err(fault)?;
                current(answer.e_tag, length(answer.content_length)?, answer.metadata.as_ref())
            }
        };
        match self.send(call, Kind::Read, 0, attempt).await {
            Ok(found) => Ok(Some(found)),
            // A HEAD says the same of a bucket that is not there: only a GET tells them apart.
            Err(Ended::Answered { missing: true, .. }) => self.get(call, name).await,
            Err(ended) => Err(ended.into_error()),
        }
    }

    /// Writes an object; gives its new entity tag.
    pub(super) async fn put(
        &self,
        call: &Call,
        name: &str,
        value: &Value,
        condition: Condition<'_>,
    ) -> Result<Done<String>> {
        self.try_put(call, name, value, condition).await?.map_err(|cause| {
            unavailable(format!(
                "whether a write happened whose answer was lost is unknown ({cause})"
            ))
        })
    }

    /// As [`Bucket::put`]. The inner error: an attempt may have happened, and why its answer was lost.
    pub(super) async fn try_put(
        &self,
        call: &Call,
        name: &str,
        value: &Value,
        condition: Condition<'_>,
    ) -> Result<Result<Done<String>, String>> {
        let mark = format!("{:016x}{:016x}", random(), random());
        let bytes = match value {
            Value::Bytes(bytes) => bytes.clone(),
            Value::Erased => Bytes::from(format!("larder is removing this object {mark}")),
        };
        let attempt = || {
            let request = self.client.put_object().bucket(&self.name).key(name);
            let request = encrypted(request, self.encryption.as_ref());
            let request = request.content_type(CONTENT_TYPE).body(ByteStream::from(bytes.clone()));
            let request = match value {
                Value::Bytes(_) => request,
                Value::Erased => request.metadata(ERASED, "1"),
            };
            let request = match condition {
                Condition::Always => request,
                Condition::Absent => request.if_none_match("*").metadata(WRITE, &mark),
                Condition::At(etag) => request.if_match(etag).metadata(WRITE, &mark),
            };
            async move { request.send().await.map_err(fault)?.e_tag.ok_or_else(no_tag) }
        };
        match self.send(call, Kind::Write, bytes.len(), attempt).await {
            Ok(etag) => Ok(Ok(Done::Yes(etag))),
            Err(Ended::Answered { unsure: None, .. })
                if !matches!(condition, Condition::Always) =>
            {
                Ok(Ok(Done::Refused))
            }
            // An earlier attempt may have been carried out although its answer was lost.
            Err(Ended::Answered { unsure: Some(cause), .. }) => {
                match self.head(call, name).await? {
                    Some(found) if found.written_by.as_deref() == Some(&*mark) => {
                        Ok(Ok(Done::Yes(found.etag)))
                    }
                    _ => Ok(Err(cause)),
                }
            }
            Err(ended) => Err(ended.into_error()),
        }
    }

    /// Removes an object, whatever it is. Succeeds when there is none.
    pub(super) async fn delete(&self, call: &Call, name: &str) -> Result<()> {
        match self.delete_on(call, name, None).await {
            Ok(()) | Err(Ended::Answered { missing: true, .. }) => Ok(()),
            Err(ended) => Err(ended.into_error()),
        }
    }

    /// Removes an object at this entity tag, on servers that can.
    pub(super) async fn delete_at(&self, call: &Call, name: &str, etag: &str) -> Result<Done<()>> {
        match self.delete_on(call, name, Some(etag)).await {
            Ok(()) => Ok(Done::Yes(())),
            Err(Ended::Answered { unsure: None, .. }) => Ok(Done::Refused),
            Err(Ended::Answered { unsure: Some(cause), .. }) => Err(unavailable(format!(
                "whether a removal happened whose answer was lost is unknown ({cause})"
            ))),
            Err(ended) => Err(ended.into_error()),
        }
    }

    pub(super) async fn delete_on(
        &self,
        call: &Call,
        name: &str,
        etag: Option<&str>,
    ) -> Result<(), Ended> {
        let request = self.client.delete_object().bucket(&self.name).key(name);
        let request = request.set_if_match(etag.map(str::to_owned));
        let attempt = || {
            let request = request.clone();
            async move { request.send().await.map(drop).map_err(fault) }
        };
        self.send(call, Kind::Delete, 0, attempt).await
    }
}

/// Reads an object once. Its time follows its size, which is known when the head is there.
async fn read(request: GetObjectFluentBuilder, patience: Duration) -> Result<Current, Fault> {
    let answer = timeout(patience, request.send()).await.map_err(|_| late())?.map_err(fault)?;
    let size = length(answer.content_length)?;
    let found = current(answer.e_tag, size, answer.metadata.as_ref())?;
    let patience = patience + Duration::from_secs(size >> 20);
    let body = timeout(patience, answer.body.collect()).await.map_err(|_| late())?;
    let bytes = body.map_err(|error| cut(words(&error)))?.into_bytes();
    // Whole or not at all, whoever cut it.
    if bytes.len() as u64 != size {
        return Err(cut(format!("{} of {size} bytes came", bytes.len())));
    }
    Ok(Current { bytes, ..found })
}

fn encrypted(
    request: PutObjectFluentBuilder,
    encryption: Option<&Encryption>,
) -> PutObjectFluentBuilder {
    match encryption {
        None => request,
        Some(Encryption::Aes256) => request.server_side_encryption(ServerSideEncryption::Aes256),
        Some(Encryption::Kms { key_id }) => request
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .set_ssekms_key_id(key_id.clone()),
    }
}

fn current(
    etag: Option<String>,
    size: u64,
    metadata: Option<&HashMap<String, String>>,
) -> Result<Current, Fault> {
    let find = |name| metadata.and_then(|metadata| metadata.get(name));
    Ok(Current {
        etag: etag.ok_or_else(no_tag)?,
        size,
        bytes: Bytes::new(),
        written_by: find(WRITE).cloned(),
        erased: find(ERASED).is_some(),
    })
}

fn length(said: Option<i64>) -> Result<u64, Fault> {
    said.and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| Fault::Lasting("S3 answered without a length".to_owned()))
}

fn no_tag() -> Fault {
    Fault::Lasting("S3 answered without an entity tag".to_owned())
}

fn late() -> Fault {
    cut("S3 did not answer in time".to_owned())
}

fn cut(cause: String) -> Fault {
    Fault::Passing { throttled: false, unsure: true, cause }
}

/// An entity tag as it may be sent back: what S3 gave once, and not the texts that mean something
/// else in a header (`*`, weak tags, several at once).
pub(super) fn is_tag(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|inner| {
        (1..=200).contains(&inner.len())
            && inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
    })
}

/// The bytes that a marker always has.
pub(super) const ERASED_SIZE: u64 = "larder is removing this object ".len() as u64 + 32;

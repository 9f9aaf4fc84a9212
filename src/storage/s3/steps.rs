//! Batches: steps in order, the changes of a step at once, guarded ones first.

use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join;
use futures_util::stream;

use super::object::{Condition, Current, Done, Value, is_tag};
use super::request::{Call, Ended, Fault, Kind, fault, judge};
use super::{S3, other};
use crate::key::Key;
use crate::storage::{Batch, Change, Error, Expect, Result};

/// The most requests of one step under way at once.
const AT_ONCE: usize = 32;

/// The most keys of one DeleteObjects request: S3's limit.
const DELETE_AT_ONCE: usize = 1000;

/// Up to here, removals that heed markers are made one by one.
const FEW: usize = 32;

/// A guarded change that was carried out, and what stood there before.
struct Undo<'a> {
    key: &'a Key,
    before: Option<Bytes>,
    /// The entity tag it was given; `None` for a removal.
    after: Option<String>,
}

impl S3 {
    pub(super) async fn carry_out(&self, batch: Batch) -> Result<()> {
        let steps = batch.steps();
        let changes = steps.iter().map(Vec::len).sum();
        let call = self.call(changes, batch.weight());
        for step in steps {
            let (mut guarded, free): (Vec<_>, Vec<_>) =
                step.iter().partition(|change| *change.expect() != Expect::Any);
            // In one order everywhere: of batches that cross, the one that has the first key goes on.
            guarded.sort_by(|one, other| one.key().cmp(other.key()));
            self.guarded(&call, &guarded).await?;
            self.free(&call, &free).await?;
        }
        Ok(())
    }

    /// The changes of a step that have expectations. A conflict leaves nothing of them.
    async fn guarded(&self, call: &Call, changes: &[&Change]) -> Result<()> {
        match changes {
            [] => Ok(()),
            [only] => self.change(call, only).await.map(drop),
            several => {
                let before = self.checked(call, several).await?;
                let mut done = Vec::new();
                for (change, before) in several.iter().zip(before) {
                    match self.change(call, change).await {
                        Ok(after) => done.push(Undo { key: change.key(), before, after }),
                        Err(Error::Conflict { key }) => {
                            self.take_back(call, done).await?;
                            return Err(Error::Conflict { key });
                        }
                        Err(trouble) => return Err(trouble),
                    }
                }
                Ok(())
            }
        }
    }

    /// The values before, if all expectations hold now.
    async fn checked(&self, call: &Call, changes: &[&Change]) -> Result<Vec<Option<Bytes>>> {
        let mut reads = Vec::with_capacity(changes.len());
        for change in changes {
            let name = self.name(change.key());
            reads.push(async move { self.bucket.get(call, &name).await });
        }
        let found: Vec<_> = stream::iter(reads).buffered(AT_ONCE).collect().await;
        let mut before = Vec::with_capacity(changes.len());
        for (change, found) in changes.iter().zip(found) {
            let found = found?.filter(Current::is_value);
            let holds = match (change.expect(), &found) {
                (Expect::Any, _) => true,
                (Expect::Absent, found) => found.is_none(),
                (Expect::At(_), None) => false,
                (Expect::At(version), Some(found)) => version.as_text() == Some(&found.etag),
            };
            if !holds {
                return Err(conflict(change.key()));
            }
            before.push(found.map(|found| found.bytes));
        }
        Ok(before)
    }

    /// One change; gives the entity tag of what was put.
    async fn change(&self, call: &Call, change: &Change) -> Result<Option<String>> {
        let bucket = &self.bucket;
        let name = self.name(change.key());
        let refused = || conflict(change.key());
        let tag = match change.expect() {
            Expect::At(version) => {
                Some(version.as_text().filter(|tag| is_tag(tag)).ok_or_else(refused)?)
            }
            Expect::Any | Expect::Absent => None,
        };
        match (change, tag) {
            (Change::Put { bytes, expect, .. }, tag) => {
                let value = Value::Bytes(bytes.bytes().clone());
                let done = match (tag, expect) {
                    (Some(tag), _) => bucket.put(call, &name, &value, Condition::At(tag)).await?,
                    (None, Expect::Absent) if bucket.conditional_delete => {
                        bucket.put(call, &name, &value, Condition::Absent).await?
                    }
                    (None, Expect::Absent) => {
                        bucket.create_around_markers(call, &name, &value).await?
                    }
                    (None, _) if bucket.conditional_delete => {
                        bucket.put(call, &name, &value, Condition::Always).await?
                    }
                    (None, _) => Done::Yes(bucket.put_around_markers(call, &name, &value).await?),
                };
                match done {
                    Done::Yes(etag) => Ok(Some(etag)),
                    Done::Refused => Err(refused()),
                }
            }
            (Change::Delete { .. }, Some(tag)) => {
                let done = if bucket.conditional_delete {
                    bucket.delete_at(call, &name, tag).await?
                } else {
                    bucket.erase_at(call, &name, tag).await?
                };
                if done == Done::Refused { Err(refused()) } else { Ok(None) }
            }
            (Change::Delete { expect: Expect::Absent, .. }, None) => {
                match bucket.head(call, &name).await?.filter(Current::is_value) {
                    Some(_) => Err(refused()),
                    None => Ok(None),
                }
            }
            (Change::Delete { .. }, None) => {
                if bucket.conditional_delete {
                    bucket.delete(call, &name).await?;
                } else {
                    bucket.erase(call, &name).await?;
                }
                Ok(None)
            }
        }
    }

    /// Takes guarded changes back, last first, where nobody has changed them since.
    async fn take_back(&self, call: &Call, done: Vec<Undo<'_>>) -> Result<()> {
        for Undo { key, before, after } in done.into_iter().rev() {
            let expect = match &after {
                Some(etag) => Expect::At(etag.as_str().into()),
                None => Expect::Absent,
            };
            let key = key.clone();
            let change = match before {
                Some(bytes) => Change::Put { key, bytes: bytes.into(), expect },
                None if after.is_some() => Change::Delete { key, expect },
                None => continue,
            };
            match self.change(call, &change).await {
                // Someone else has replaced it already.
                Ok(_) | Err(Error::Conflict { .. }) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    /// The changes of a step that have no expectations.
    async fn free(&self, call: &Call, changes: &[&Change]) -> Result<()> {
        let (puts, deletes): (Vec<&Change>, Vec<&Change>) =
            changes.iter().partition(|change| matches!(change, Change::Put { .. }));
        let bulk = if self.bucket.conditional_delete { 1 } else { FEW };
        let (single, bulk) =
            if deletes.len() > bulk { (vec![], deletes) } else { (deletes, vec![]) };
        let mut singles = Vec::with_capacity(changes.len());
        for change in puts.into_iter().chain(single) {
            singles.push(self.change(call, change));
        }
        let mut bulks = Vec::new();
        for chunk in bulk.chunks(DELETE_AT_ONCE) {
            bulks.push(self.delete_many(call, chunk));
        }
        let singles = stream::iter(singles).buffer_unordered(AT_ONCE).collect::<Vec<_>>();
        let bulks = stream::iter(bulks).buffer_unordered(AT_ONCE).collect::<Vec<_>>();
        // To the end whatever fails, so that nothing lands after the call has answered.
        let (singles, bulks) = join(singles, bulks).await;
        singles.into_iter().map(|done| done.map(drop)).chain(bulks).collect()
    }

    /// Removes up to a thousand keys with one request; all of them again if one could not be.
    async fn delete_many(&self, call: &Call, changes: &[&Change]) -> Result<()> {
        let mut objects = Vec::with_capacity(changes.len());
        for change in changes {
            let object = ObjectIdentifier::builder().key(self.name(change.key())).build();
            objects.push(object.map_err(other)?);
        }
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let bucket = &self.bucket;
        let request = bucket.client.delete_objects().bucket(&bucket.name);
        let request = request.delete(delete.map_err(other)?);
        let attempt = || {
            let request = request.clone();
            async move { worst(&request.send().await.map_err(fault)?).map_or(Ok(()), Err) }
        };
        bucket.send(call, Kind::Delete, 0, attempt).await.map_err(Ended::into_error)
    }
}

/// What kept S3 from removing all keys: what will not go better by itself, if there is such a thing.
fn worst(answer: &DeleteObjectsOutput) -> Option<Fault> {
    let mut worst = None;
    for error in answer.errors() {
        let why = judge(0, error.code().unwrap_or_default(), error.message());
        let missing = matches!(why, Fault::Missing);
        if !missing && (worst.is_none() || !matches!(why, Fault::Passing { .. })) {
            worst = Some(why);
        }
    }
    worst
}

fn conflict(key: &Key) -> Error {
    Error::Conflict { key: key.clone() }
}

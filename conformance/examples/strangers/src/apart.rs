//! Names under which a key and a folder never meet.

use async_trait::async_trait;
use bytes::Bytes;
use larder_conformance::larder::storage::{Depth, Object, Stat};

use crate::{Cause, Flat, Mode};

/// On a file system `a` and `a/b` exclude each other, and most of the battery's names are related in
/// just that way. This writes every value under its name with a mark behind it, so that what else there
/// is to find comes to light. (It takes a byte of the 255 that a segment may have.)
#[derive(Debug)]
pub struct Apart<F>(pub F);

const MARK: char = '~';

fn marked(name: &str) -> String {
    format!("{name}{MARK}")
}

#[async_trait]
impl<F: Flat> Flat for Apart<F> {
    fn durable(&self) -> bool {
        self.0.durable()
    }

    async fn read(&self, name: &str) -> Result<Option<Object>, Cause> {
        self.0.read(&marked(name)).await
    }

    async fn stat(&self, name: &str) -> Result<Option<Stat>, Cause> {
        self.0.stat(&marked(name)).await
    }

    async fn write(&self, name: &str, bytes: Bytes, mode: Mode) -> Result<bool, Cause> {
        self.0.write(&marked(name), bytes, mode).await
    }

    async fn delete(&self, name: &str) -> Result<(), Cause> {
        self.0.delete(&marked(name)).await
    }

    async fn list(
        &self,
        folder: &str,
        depth: Depth,
    ) -> Result<(Vec<(String, u64)>, Vec<String>), Cause> {
        // A folder may be called like a marked name; what the store calls a value is one.
        let (names, folders) = self.0.list(folder, depth).await?;
        let names = names.into_iter().map(|(name, size)| match name.strip_suffix(MARK) {
            Some(plain) => Ok((plain.to_owned(), size)),
            None => Err(format!("listed {name:?}, which nobody wrote").into()),
        });
        Ok((names.collect::<Result<_, Cause>>()?, folders))
    }
}

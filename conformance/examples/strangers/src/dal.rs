//! Apache OpenDAL.

use async_trait::async_trait;
use bytes::Bytes;
use larder_conformance::larder::storage::{Depth, Object, Stat};
use opendal::{EntryMode, ErrorKind, Operator};

use crate::{Cause, Flat, Mode, hash};

/// Any service of the library. Its versions are hashes of the values, since the services judged here
/// have no entity tags.
#[derive(Debug)]
pub struct Dal {
    /// The service.
    pub operator: Operator,
    /// Whether values outlive the process.
    pub durable: bool,
}

#[async_trait]
impl Flat for Dal {
    fn durable(&self) -> bool {
        self.durable
    }

    async fn read(&self, name: &str) -> Result<Option<Object>, Cause> {
        match self.operator.read(name).await {
            Ok(found) => {
                let bytes = found.to_bytes();
                Ok(Some(Object { version: hash(&bytes), bytes: bytes.into() }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn stat(&self, name: &str) -> Result<Option<Stat>, Cause> {
        // From one look: a size and a version from two would be those of two values beside a writer.
        Ok(self.read(name).await?.map(|object| Stat {
            size: (object.bytes.len() as u64).into(),
            version: object.version,
        }))
    }

    async fn write(&self, name: &str, bytes: Bytes, mode: Mode) -> Result<bool, Cause> {
        let write = self.operator.write_with(name, bytes);
        match write.if_not_exists(mode == Mode::Create).await {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConditionNotMatch | ErrorKind::AlreadyExists
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), Cause> {
        Ok(self.operator.delete(name).await?)
    }

    async fn list(
        &self,
        folder: &str,
        depth: Depth,
    ) -> Result<(Vec<(String, u64)>, Vec<String>), Cause> {
        let path = if folder.is_empty() { "/" } else { folder };
        let found = self.operator.list_with(path).recursive(depth == Depth::All).await?;
        let (mut names, mut folders) = (Vec::new(), Vec::new());
        for entry in found {
            let (name, meta) = entry.into_parts();
            match meta.mode() {
                EntryMode::DIR if depth == Depth::Children && name != folder && name != "/" => {
                    folders.push(name);
                }
                EntryMode::DIR => {}
                _ => {
                    // A listing need not say how long a value is.
                    let size = self.operator.stat(&name).await.map(|meta| meta.content_length());
                    match size {
                        Ok(size) => names.push((name, size)),
                        Err(error) if error.kind() == ErrorKind::NotFound => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok((names, folders))
    }
}

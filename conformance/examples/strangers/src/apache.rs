//! `object_store` (Apache Arrow).

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use larder_conformance::larder::storage::{Depth, Object, Stat, Version};
use object_store::path::Path;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion,
};

use crate::{Cause, Flat, Mode};

/// Any store of the library.
#[derive(Debug)]
pub struct Apache<O> {
    /// The store.
    pub store: O,
    /// Whether values outlive the process.
    pub durable: bool,
    /// Whether it takes `PutMode::Update`.
    pub updates: bool,
}

fn version(meta: &ObjectMeta) -> Result<Version, Cause> {
    let tag = meta.e_tag.as_deref().ok_or("no entity tag")?;
    Ok(Version::from(tag))
}

#[async_trait]
impl<O: ObjectStore> Flat for Apache<O> {
    fn durable(&self) -> bool {
        self.durable
    }

    async fn read(&self, name: &str) -> Result<Option<Object>, Cause> {
        let found = match self.store.get(&Path::parse(name)?).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let version = version(&found.meta)?;
        Ok(Some(Object { bytes: found.bytes().await?.into(), version }))
    }

    async fn stat(&self, name: &str) -> Result<Option<Stat>, Cause> {
        match self.store.head(&Path::parse(name)?).await {
            Ok(meta) => Ok(Some(Stat { size: meta.size.into(), version: version(&meta)? })),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn write(&self, name: &str, bytes: Bytes, mode: Mode) -> Result<bool, Cause> {
        let mode = match mode {
            Mode::Create => PutMode::Create,
            Mode::Replace(version) if self.updates => PutMode::Update(UpdateVersion {
                e_tag: version.as_text().map(ToOwned::to_owned),
                version: None,
            }),
            Mode::Overwrite | Mode::Replace(_) => PutMode::Overwrite,
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&Path::parse(name)?, bytes.into(), options).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), Cause> {
        match self.store.delete(&Path::parse(name)?).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn list(
        &self,
        folder: &str,
        depth: Depth,
    ) -> Result<(Vec<(String, u64)>, Vec<String>), Cause> {
        let prefix = Path::parse(folder)?;
        let prefix = (!folder.is_empty()).then_some(&prefix);
        let (metas, folders) = match depth {
            Depth::All => (self.store.list(prefix).try_collect().await?, Vec::new()),
            Depth::Children => {
                let found = self.store.list_with_delimiter(prefix).await?;
                (found.objects, found.common_prefixes)
            }
        };
        let names = metas.into_iter().map(|meta: ObjectMeta| (meta.location.into(), meta.size));
        let folders = folders.into_iter().map(|folder| format!("{folder}/"));
        Ok((names.collect(), folders.collect()))
    }
}

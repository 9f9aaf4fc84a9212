//! The store in a bucket, held to the contract.

use std::path::Path;
use std::sync::Arc;

use larder::storage::s3::S3;
use larder_conformance::{Limits, Opened, Subject};
use tokio::sync::OnceCell;

use crate::server::Server;

/// Homes are folders of one bucket, named as the battery names them: all processes of a run find the
/// same ones.
pub(crate) struct InBucket {
    server: Server,
    /// One connection for the process; the battery opens thousands of homes.
    connected: OnceCell<S3>,
}

impl InBucket {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, connected: OnceCell::new() }
    }
}

impl Subject for InBucket {
    fn name(&self) -> &'static str {
        "s3"
    }

    async fn open(&self, home: &Path) -> Opened {
        let settings = self.server.settings("battery");
        let store = self.connected.get_or_try_init(|| S3::open(&settings)).await?;
        let name =
            home.file_name().and_then(|name| name.to_str()).ok_or("a home without a name")?;
        Ok(Arc::new(store.under(name)?))
    }

    /// What S3 takes beside the folder of a home; a server in a container is slow.
    fn limits(&self) -> Limits {
        Limits { key_bytes: 960, value_bytes: 1 << 20, slow: true }
    }
}

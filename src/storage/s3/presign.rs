//! Signed addresses of objects. Signing is done here; no request is sent, but for credentials that the
//! AWS client has to fetch first.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::presigning::PresigningConfig;

use super::request::words;
use super::{S3, other, unavailable};
use crate::key::Key;
use crate::storage::Result;
use crate::storage::presign::Presign;

#[async_trait]
impl Presign for S3 {
    /// No address outlives the credentials that signed it: with those of a role it may end earlier.
    async fn presign(&self, key: &Key, media_type: &str, valid: Duration) -> Result<String> {
        let request = self.bucket.client.get_object().bucket(&self.bucket.name);
        let request = request.key(self.name(key)).response_content_type(media_type);
        let terms = PresigningConfig::expires_in(valid).map_err(other)?;
        match request.presigned(terms).await {
            Ok(signed) => Ok(signed.uri().to_owned()),
            Err(error) => Err(unavailable(words(&error))),
        }
    }
}

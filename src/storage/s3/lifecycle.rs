//! The bucket's lifecycle rules. S3 keeps them as one document without versions, so two who change it
//! at the same moment may lose one of the changes: it is for people, not for the service.

use async_trait::async_trait;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
};
use sha2::{Digest as _, Sha256};

use super::request::{Ended, Kind, fault};
use super::{S3, other};
use crate::storage::Result;
use crate::storage::lifecycle::{Lifecycle, Rule};

#[async_trait]
impl Lifecycle for S3 {
    fn rule(&self, days: u32) -> Rule {
        let prefix = Some(self.prefix.to_string());
        Rule { id: self.rule_id(), own: true, prefix, days: Some(days), enabled: true }
    }

    async fn rules(&self) -> Result<Vec<Rule>> {
        let id = self.rule_id();
        Ok(self.lifecycle().await?.iter().map(|rule| read(rule, &id)).collect())
    }

    async fn set_rule(&self, days: u32) -> Result<()> {
        let mut rules = self.lifecycle().await?;
        rules.retain(|rule| rule.id() != Some(&self.rule_id()));
        rules.push(self.written(days)?);
        self.set_lifecycle(rules).await
    }

    async fn remove_rule(&self) -> Result<bool> {
        let mut rules = self.lifecycle().await?;
        let before = rules.len();
        rules.retain(|rule| rule.id() != Some(&self.rule_id()));
        let there = rules.len() < before;
        if there {
            self.set_lifecycle(rules).await?;
        }
        Ok(there)
    }
}

impl S3 {
    /// One for each prefix, so that several stores in a bucket have a rule each; by a hash of it, since
    /// names of rules end at 255 characters and prefixes do not.
    fn rule_id(&self) -> String {
        let digest = Sha256::digest(self.prefix.as_bytes());
        let start = digest.iter().take(8).fold(0, |start, byte| start << 8 | u64::from(*byte));
        format!("larder-{start:016x}")
    }

    fn written(&self, days: u32) -> Result<LifecycleRule> {
        let days = i32::try_from(days).map_err(other)?;
        // Where the bucket keeps versions, what was replaced or removed goes as well.
        let rule = LifecycleRule::builder()
            .id(self.rule_id())
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(&*self.prefix).build())
            .expiration(LifecycleExpiration::builder().days(days).build())
            .noncurrent_version_expiration(
                NoncurrentVersionExpiration::builder().noncurrent_days(1).build(),
            )
            .abort_incomplete_multipart_upload(
                AbortIncompleteMultipartUpload::builder().days_after_initiation(1).build(),
            );
        rule.build().map_err(other)
    }

    async fn lifecycle(&self) -> Result<Vec<LifecycleRule>> {
        let bucket = &self.bucket;
        let request = bucket.client.get_bucket_lifecycle_configuration().bucket(&bucket.name);
        let attempt = || {
            let request = request.clone();
            async move {
                match request.send().await {
                    Ok(answer) => Ok(answer.rules.unwrap_or_default()),
                    Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => {
                        Ok(vec![])
                    }
                    Err(error) => Err(fault(error)),
                }
            }
        };
        bucket.send(&self.call(1, 0), Kind::Bucket, 0, attempt).await.map_err(Ended::into_error)
    }

    async fn set_lifecycle(&self, rules: Vec<LifecycleRule>) -> Result<()> {
        let (bucket, call) = (&self.bucket, self.call(1, 0));
        let done = if rules.is_empty() {
            // An empty document is refused.
            let request = bucket.client.delete_bucket_lifecycle().bucket(&bucket.name);
            let attempt = || {
                let request = request.clone();
                async move { request.send().await.map(drop).map_err(fault) }
            };
            bucket.send(&call, Kind::Bucket, 0, attempt).await
        } else {
            let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
            let request = bucket.client.put_bucket_lifecycle_configuration().bucket(&bucket.name);
            let request = request.lifecycle_configuration(rules.map_err(other)?);
            let attempt = || {
                let request = request.clone();
                async move { request.send().await.map(drop).map_err(fault) }
            };
            bucket.send(&call, Kind::Bucket, 0, attempt).await
        };
        done.map_err(Ended::into_error)
    }
}

fn read(rule: &LifecycleRule, own: &str) -> Rule {
    let filter = rule.filter();
    #[expect(deprecated, reason = "old rules have their prefix here")]
    let prefix = filter.map_or(rule.prefix(), LifecycleRuleFilter::prefix);
    let days = rule.expiration().and_then(LifecycleExpiration::days);
    Rule {
        id: rule.id().unwrap_or("(no name)").to_owned(),
        own: rule.id() == Some(own),
        prefix: prefix.map(str::to_owned),
        days: days.and_then(|days| u32::try_from(days).ok()),
        enabled: *rule.status() == ExpirationStatus::Enabled,
    }
}

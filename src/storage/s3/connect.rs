//! The client, and the bucket if it has to be made.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use super::request::{Call, Ended, Kind, Meter, fault};
use super::{Bucket, Settings, other};
use crate::storage::Result;

/// Where buckets are when nobody says: what S3 itself takes, and what other servers do not look at.
const HOME_REGION: &str = "us-east-1";

pub(super) async fn connect(settings: &Settings) -> Result<Bucket> {
    let version = BehaviorVersion::v2026_01_12();
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // Trying again and time limits are this store's own, since only it knows how to recognise the
    // outcome of a write whose answer was lost.
    let mut loader = aws_config::defaults(version)
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(settings.attempt_timeout).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(credentials) = &settings.credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let shared = loader.load().await;
    // Also when the address comes from a profile or from the environment.
    let path_style = settings.path_style.unwrap_or(shared.endpoint_url().is_some());
    let mut config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(path_style);
    if shared.region().is_none() {
        config = config.region(Region::new(HOME_REGION));
    }
    Ok(Bucket {
        client: Client::from_conf(config.build()),
        name: settings.bucket.clone(),
        encryption: settings.encryption.clone(),
        attempt_timeout: settings.attempt_timeout,
        call_deadline: settings.call_deadline,
        marker_life: settings.marker_life,
        conditional_delete: false,
        meter: Meter::new(),
    })
}

impl Bucket {
    /// Makes sure that the bucket is there.
    pub(super) async fn ensure(&self, settings: &Settings) -> Result<()> {
        let call = Call::within(self.call_deadline);
        let request = self.client.head_bucket().bucket(&self.name);
        let look = || {
            let request = request.clone();
            async move { request.send().await.map(drop).map_err(fault) }
        };
        match self.send(&call, Kind::Bucket, 0, look).await {
            Ok(()) => return Ok(()),
            Err(Ended::Answered { missing: true, .. } | Ended::NoBucket(_)) => {}
            Err(ended) => return Err(ended.into_error()),
        }
        if !settings.create_bucket {
            return Err(other("it is not there, and the settings forbid to make it"));
        }
        let region = self.client.config().region().map(ToString::to_string);
        let place = region.filter(|region| region != HOME_REGION).map(|region| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region.as_str()))
                .build()
        });
        let request = self.client.create_bucket().bucket(&self.name);
        let request = request.set_create_bucket_configuration(place);
        let make = || {
            let request = request.clone();
            async move {
                match request.send().await {
                    // Someone else made it first, or an earlier attempt of this one.
                    Err(error) if is_own(&error) => Ok(()),
                    answer => answer.map(drop).map_err(fault),
                }
            }
        };
        self.send(&call, Kind::Bucket, 0, make).await.map_err(Ended::into_error)?;
        tracing::info!(store = "s3", bucket = self.name, "made the bucket");
        Ok(())
    }
}

fn is_own(error: &SdkError<CreateBucketError, HttpResponse>) -> bool {
    error.as_service_error().is_some_and(CreateBucketError::is_bucket_already_owned_by_you)
}

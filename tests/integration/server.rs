//! The S3 server: LocalStack in a container, whatever answers at an address, or S3 itself.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use aws_sdk_s3::types::EncodingType;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use larder::storage::s3::{Credentials, S3, Settings};
use percent_encoding::percent_decode_str;
use testcontainers::core::{IntoContainerPort as _, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Its address; empty in a second run on S3 itself.
pub(crate) const ENDPOINT: &str = "LARDER_TEST_S3_ENDPOINT";
/// The bucket, which is made if it is missing.
pub(crate) const BUCKET: &str = "LARDER_TEST_S3_BUCKET";
/// Set for the second run of this program, and for the processes that the battery starts: what tells
/// this run's keys from those of others in the bucket.
const RUN: &str = "LARDER_TEST_S3_RUN";
/// Set when the server is a container of the first run.
const IN_CONTAINER: &str = "LARDER_TEST_S3_IN_CONTAINER";

const IMAGE: (&str, &str) = ("localstack/localstack", "4.12.0");
const PORT: u16 = 4566;

/// Deletes at once while a bucket is emptied.
const AT_ONCE: usize = 32;

/// Whether the environment names a server.
pub(crate) fn is_named() -> bool {
    read(ENDPOINT).is_some()
}

/// What makes a second run of this program one, on a server that is named.
pub(crate) fn new_run() -> Vec<(&'static str, String)> {
    vec![(RUN, random())]
}

/// Sixteen digits that no other run has.
pub(crate) fn random() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// A variable of the environment, unless it is empty.
pub(crate) fn read(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.into_string().ok();
    value.filter(|value| !value.is_empty())
}

/// A server that runs, and the bucket in which to work.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    endpoint: Option<String>,
    bucket: String,
    run: String,
    credentials: Option<Credentials>,
    region: Option<String>,
}

impl Server {
    /// The server of this run; `None` in the first process, which finds one.
    pub(crate) fn of_run() -> Option<Self> {
        Self::described(read)
    }

    /// The server that these variables describe.
    pub(crate) fn described(read: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let run = read(RUN)?;
        let endpoint = read(ENDPOINT);
        let bucket = read(BUCKET).unwrap_or_else(|| "larder-integration".to_owned());
        let (credentials, region) = match read(IN_CONTAINER) {
            Some(_) => {
                let key = Credentials::new("test", "test", None, None, "integration tests");
                (Some(key), Some("us-east-1".to_owned()))
            }
            // What is `None` is left to the standard chains.
            None => {
                let token = read("AWS_SESSION_TOKEN");
                let key = read("AWS_ACCESS_KEY_ID").zip(read("AWS_SECRET_ACCESS_KEY"));
                let key =
                    key.map(|(id, secret)| Credentials::new(id, secret, token, None, "tests"));
                (key, read("AWS_REGION"))
            }
        };
        Some(Self { endpoint, bucket, run, credentials, region })
    }

    /// The same server, for another run.
    pub(crate) fn of_another_run(&self) -> Self {
        Self { run: random(), ..self.clone() }
    }

    /// The way to a folder of the bucket that nothing else uses.
    pub(crate) fn settings(&self, folder: &str) -> Settings {
        Settings {
            endpoint_url: self.endpoint.clone(),
            key_prefix: self.folder(folder),
            credentials: self.credentials.clone(),
            region: self.region.clone(),
            // Busy machines take their time, and a test of patience has its own.
            attempt_timeout: Duration::from_secs(20),
            call_deadline: Duration::from_secs(60),
            ..Settings::new(&self.bucket)
        }
    }

    /// A folder of the bucket that nothing else uses.
    fn folder(&self, folder: &str) -> String {
        format!("run-{}/{folder}", self.run)
    }

    /// The name of a bucket that nothing else uses.
    pub(crate) fn bucket(&self, what: &str) -> String {
        format!("larder-{what}-{}", self.run)
    }

    /// A client of the same server that knows nothing of the store.
    pub(crate) fn outsider(&self) -> Client {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut config = aws_sdk_s3::Config::builder()
            .http_client(http)
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region.clone().unwrap_or_else(|| "us-east-1".to_owned())))
            .force_path_style(self.endpoint.is_some());
        config.set_endpoint_url(self.endpoint.clone());
        let key = self.credentials.clone().map(SharedCredentialsProvider::new);
        config.set_credentials_provider(key);
        Client::from_conf(config.build())
    }

    /// Removes all that this run has written, and the buckets it has made for itself alone.
    pub(crate) async fn clean_up(&self) -> Result<(), aws_sdk_s3::Error> {
        let client = self.outsider();
        empty(&client, &self.bucket, &self.folder("")).await?;
        let buckets = client.list_buckets().send().await?;
        let names = buckets.buckets().iter().filter_map(|bucket| bucket.name());
        for name in names.filter(|name| name.starts_with("larder-") && name.ends_with(&self.run)) {
            empty(&client, name, "").await?;
            client.delete_bucket().bucket(name).send().await?;
        }
        Ok(())
    }

    /// A store in such a folder.
    pub(crate) async fn store(&self, folder: &str) -> S3 {
        S3::open(&self.settings(folder)).await.expect("a store on the server")
    }
}

/// Removes everything below a prefix. One by one and by names that are percent-encoded, since the battery
/// writes keys with characters that XML cannot say.
async fn empty(client: &Client, bucket: &str, prefix: &str) -> Result<(), aws_sdk_s3::Error> {
    loop {
        let page = client.list_objects_v2().bucket(bucket).prefix(prefix);
        let page = page.encoding_type(EncodingType::Url).send().await?;
        let mut deletes = JoinSet::new();
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        for name in page.contents().iter().filter_map(|object| object.key()) {
            let name = if encoded {
                // A space comes as a plus; a plus is percent-encoded.
                percent_decode_str(&name.replace('+', " ")).decode_utf8_lossy().into_owned()
            } else {
                name.to_owned()
            };
            deletes.spawn(client.delete_object().bucket(bucket).key(name).send());
            if deletes.len() == AT_ONCE
                && let Some(Ok(deleted)) = deletes.join_next().await
            {
                deleted?;
            }
        }
        if page.contents().is_empty() {
            return Ok(());
        }
        for deleted in deletes.join_all().await {
            deleted?;
        }
    }
}

/// LocalStack, taken down when dropped.
#[derive(Debug)]
pub(crate) struct Container {
    // Before the runtime, which it needs to go.
    container: Option<ContainerAsync<GenericImage>>,
    endpoint: String,
    runtime: Runtime,
}

impl Container {
    pub(crate) fn start() -> Result<Self, String> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let (container, endpoint) = runtime.block_on(async {
            let image = GenericImage::new(IMAGE.0, IMAGE.1)
                .with_exposed_port(PORT.tcp())
                .with_wait_for(WaitFor::message_on_stdout("Ready."))
                .with_env_var("SERVICES", "s3")
                .with_env_var("EAGER_SERVICE_LOADING", "1")
                .with_env_var("DISABLE_EVENTS", "1")
                .with_env_var("LS_LOG", "warn")
                .with_startup_timeout(Duration::from_secs(180));
            let container = image.start().await.map_err(|error| {
                let (name, tag) = IMAGE;
                format!(
                    "error: the integration tests need an S3 server, and none could be started: {error}\n\
                     \n\
                     Either install an engine for containers (Docker, or Podman with its socket in \
                     DOCKER_HOST) that has or can pull {name}:{tag}, or name a server that runs:\n\
                     \n    {ENDPOINT}=http://127.0.0.1:9000 AWS_ACCESS_KEY_ID=... \
                     AWS_SECRET_ACCESS_KEY=... AWS_REGION=us-east-1 just test-integration"
                )
            })?;
            let host = container.get_host().await.map_err(|error| error.to_string())?;
            let port =
                container.get_host_port_ipv4(PORT).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((container, format!("http://{host}:{port}")))
        })?;
        Ok(Self { container: Some(container), endpoint, runtime })
    }

    /// What the second run of this program needs to know.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = new_run();
        variables.push((ENDPOINT, self.endpoint.clone()));
        variables.push((IN_CONTAINER, "1".to_owned()));
        variables
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(container) = self.container.take()
            && let Err(error) = self.runtime.block_on(container.rm())
        {
            eprintln!("the container of LocalStack could not be removed: {error}");
        }
    }
}

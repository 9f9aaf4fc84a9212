//! The S3 server: LocalStack in a container, or whatever answers at an address.

use std::time::Duration;

use larder::storage::s3::{Credentials, S3, Settings};
use testcontainers::core::{IntoContainerPort as _, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use tokio::runtime::Runtime;

const ENDPOINT: &str = "LARDER_TEST_S3_ENDPOINT";
/// Set for the second run of this program, whose server is a container of the first.
const IN_CONTAINER: &str = "LARDER_TEST_S3_IN_CONTAINER";
/// The bucket of this run, which processes of the battery share.
const BUCKET: &str = "LARDER_TEST_S3_BUCKET";

const IMAGE: (&str, &str) = ("localstack/localstack", "4.12.0");
const PORT: u16 = 4566;

/// A server that runs, and the bucket in which to work.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    endpoint: String,
    bucket: String,
    credentials: Option<Credentials>,
    region: Option<String>,
}

impl Server {
    /// The server that the environment names.
    pub(crate) fn from_env() -> Option<Self> {
        let read = |name| std::env::var_os(name).and_then(|value| value.into_string().ok());
        let endpoint = read(ENDPOINT).filter(|endpoint| !endpoint.is_empty())?;
        let bucket = read(BUCKET).unwrap_or_else(|| "larder-integration".to_owned());
        if read(IN_CONTAINER).is_some() {
            let credentials = Credentials::new("test", "test", None, None, "integration tests");
            let region = Some("us-east-1".to_owned());
            return Some(Self { endpoint, bucket, credentials: Some(credentials), region });
        }
        let key = read("AWS_ACCESS_KEY_ID").zip(read("AWS_SECRET_ACCESS_KEY"));
        let token = read("AWS_SESSION_TOKEN");
        let credentials =
            key.map(|(id, secret)| Credentials::new(id, secret, token, None, "environment"));
        Some(Self { endpoint, bucket, credentials, region: read("AWS_REGION") })
    }

    /// The way to a folder of the bucket that nothing else uses.
    pub(crate) fn settings(&self, folder: &str) -> Settings {
        Settings {
            endpoint_url: Some(self.endpoint.clone()),
            key_prefix: format!("run-{}/{folder}", std::process::id()),
            credentials: self.credentials.clone(),
            region: self.region.clone(),
            // Busy machines take their time, and a test of patience has its own.
            attempt_timeout: Duration::from_secs(20),
            call_deadline: Duration::from_secs(60),
            ..Settings::new(&self.bucket)
        }
    }

    /// A store in such a folder.
    pub(crate) async fn store(&self, folder: &str) -> S3 {
        S3::open(&self.settings(folder)).await.expect("a store on the server")
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

    /// What a second run of this program needs to know.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        [
            (ENDPOINT, self.endpoint.clone()),
            (IN_CONTAINER, "1".to_owned()),
            (BUCKET, "larder-integration".to_owned()),
        ]
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

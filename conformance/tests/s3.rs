//! The store in S3 buckets, held to the contract, on a server in this process that removes on condition
//! as S3 does. The integration tier holds it to the contract on LocalStack, which does not.

#[expect(dead_code, unreachable_pub, reason = "its other user has more need of it")]
#[path = "../../tests/support/fake_s3.rs"]
mod fake_s3;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use larder::storage::s3::{Credentials, S3, Settings};
use larder_conformance::{AnySubject, Limits, Opened, Subject};
use tokio::sync::OnceCell;

/// Where the server of this run listens: in the first process, for those that it starts.
const SERVER: &str = "LARDER_CONFORMANCE_FAKE_S3";

struct InBucket {
    server: String,
    /// One connection for the process; the battery opens thousands of homes.
    connected: OnceCell<S3>,
}

impl Subject for InBucket {
    fn name(&self) -> &'static str {
        "s3"
    }

    async fn open(&self, home: &Path) -> Opened {
        let settings = Settings {
            endpoint_url: Some(self.server.clone()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(Credentials::new("id", "secret", None, None, "battery")),
            attempt_timeout: Duration::from_secs(20),
            call_deadline: Duration::from_secs(60),
            ..Settings::new("battery")
        };
        let store = self.connected.get_or_try_init(|| S3::open(&settings)).await?;
        let name =
            home.file_name().and_then(|name| name.to_str()).ok_or("a home without a name")?;
        Ok(Arc::new(store.under(name)?))
    }

    /// What S3 takes beside the folder of a home, and less of everything: each change is a request.
    fn limits(&self) -> Limits {
        Limits { key_bytes: 960, value_bytes: 1 << 20, slow: true }
    }
}

fn main() -> ExitCode {
    let Some(server) = std::env::var_os(SERVER).and_then(|server| server.into_string().ok()) else {
        return with_server();
    };
    let subject = AnySubject::new(InBucket { server, connected: OnceCell::new() });
    larder_conformance::runner::main(vec![subject], env!("CARGO_MANIFEST_DIR"))
}

/// Runs this program again beside a server: the battery kills processes, and the server must live on.
fn with_server() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let server = runtime.block_on(fake_s3::FakeS3::start(true));
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    again.args(std::env::args_os().skip(1)).env(SERVER, server.url());
    if std::env::var_os("LARDER_CONFORMANCE_CASES").is_none() {
        again.env("LARDER_CONFORMANCE_CASES", "16");
    }
    let status = again.status().expect("this program runs");
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(101))
}

//! The QA tier: the black-box tests against what is really used, a deployment or a bucket of S3 itself.
//!
//! | variable | |
//! |---|---|
//! | `LARDER_QA_URL` | a deployment: the transcripts are played against it over HTTP |
//! | `LARDER_QA_API_KEY`, `LARDER_QA_API_KEY_NAME` | its key, if it asks for one, and the header's name (`X-API-Key`) |
//! | `LARDER_QA_S3_BUCKET` | a bucket: the whole integration tier runs in a folder of it |
//! | `LARDER_QA_S3_ENDPOINT` | the server of that bucket, where it is not AWS |
//!
//! At least one of `LARDER_QA_URL` and `LARDER_QA_S3_BUCKET`; the latter with `AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY` and `AWS_REGION`. Namespaces and folders are of the run alone and are cleared
//! in the end, whatever came of the tests.

use std::process::ExitCode;

use crate::live::Deployment;
use crate::server::{self, Server, read};

const TIER: &str = "LARDER_TEST_TIER";
const URL: &str = "LARDER_QA_URL";
const KEY: &str = "LARDER_QA_API_KEY";
const KEY_NAME: &str = "LARDER_QA_API_KEY_NAME";
const BUCKET: &str = "LARDER_QA_S3_BUCKET";
const BUCKETS_SERVER: &str = "LARDER_QA_S3_ENDPOINT";
const CREDENTIALS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];

pub(crate) fn is_asked() -> bool {
    read(TIER).as_deref() == Some("qa")
}

pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(101),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Whether all went well.
fn run() -> Result<bool, String> {
    let (url, bucket) = (read(URL), read(BUCKET));
    if url.is_none() && bucket.is_none() {
        return Err(format!(
            "the QA tier tests what is really used, and nothing is named. Set {URL} (and {KEY}) for a \
             deployment, {BUCKET} with {} for a bucket, or both",
            CREDENTIALS.join(", ")
        ));
    }
    let missing: Vec<_> = CREDENTIALS.into_iter().filter(|name| read(name).is_none()).collect();
    if bucket.is_some() && !missing.is_empty() {
        return Err(format!("{BUCKET} is set, but {} not", missing.join(", ")));
    }
    let mut well = true;
    if let Some(url) = url {
        let name = read(KEY_NAME).unwrap_or_else(|| "X-API-Key".to_owned());
        let key = read(KEY).map(|key| (name, key));
        well &= Deployment::new(&url, key)?.run()?;
    }
    if let Some(bucket) = bucket {
        well &= in_bucket(bucket)?;
    }
    Ok(well)
}

/// The integration tier in a folder of this bucket, and that folder's end.
fn in_bucket(bucket: String) -> Result<bool, String> {
    let mut variables = server::new_run();
    variables.push((server::BUCKET, bucket));
    variables.push((server::ENDPOINT, read(BUCKETS_SERVER).unwrap_or_default()));
    let code = crate::again(&variables);
    let find = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
            .or_else(|| read(name))
    };
    let server = Server::described(find).ok_or("a run without a name")?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let cleaned = runtime.block_on(server.clean_up());
    cleaned.map_err(|error| format!("what the run wrote could not be removed: {error:?}"))?;
    Ok(code? == 0)
}

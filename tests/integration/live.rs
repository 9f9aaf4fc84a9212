//! A deployment that runs: the recorded transcripts over HTTP, in namespaces of the run.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Arguments;
use ureq::http::{HeaderValue, Request};

use crate::it::replay::{Mismatch, Reply, Scenario, Transport, replay};
use crate::trial;

/// Transcripts that write in namespaces of fixed names (`default`, `test-demo`), which on a deployment
/// are somebody's: they are for servers of their own.
const ELSEWHERE: [&str; 1] = ["test-data-defaults"];

/// The largest answer, in bytes.
const MOST: u64 = 1 << 30;

/// A deployment by its base URL.
pub(crate) struct Deployment {
    agent: ureq::Agent,
    base: String,
    key: Option<(String, String)>,
    run: String,
}

impl Deployment {
    pub(crate) fn new(url: &str, key: Option<(String, String)>) -> Result<Arc<Self>, String> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("larder-qa")
            .accept_encoding("identity")
            .build();
        let base = url.trim_end_matches('/').to_owned();
        let run = crate::server::random().chars().take(8).collect();
        let deployment = Self { agent: config.into(), base, key, run };
        let health = deployment.asked("GET", "/info/health");
        match health {
            Ok(reply) if reply.status == 200 => Ok(Arc::new(deployment)),
            Ok(reply) => {
                Err(format!("{} answers {} to /info/health", deployment.base, reply.status))
            }
            Err(error) => Err(format!("{} does not answer: {error}", deployment.base)),
        }
    }

    /// Plays all transcripts and clears up; whether all went well.
    pub(crate) fn run(self: &Arc<Self>) -> Result<bool, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden");
        let scenarios = Scenario::load_dir(&folder).map_err(|error| format!("{error:?}"))?;
        let mut trials = Vec::new();
        for scenario in scenarios {
            let keyless = scenario.requires_auth && self.key.is_none();
            let elsewhere = ELSEWHERE.contains(&scenario.name.as_str());
            if keyless || elsewhere {
                let why = if elsewhere { "is for a server of its own" } else { "needs a key" };
                eprintln!("NOT TESTED: {} {why}", scenario.name);
            }
            let deployment = Arc::clone(self);
            let name = format!("live::{}", scenario.name);
            let play = trial(name, async move || deployment.play(&scenario).await);
            trials.push(play.with_ignored_flag(keyless || elsewhere));
        }
        let mut arguments = Arguments::from_args();
        arguments.ignored = false;
        arguments.include_ignored = false;
        let well = !libtest_mimic::run(&arguments, trials).has_failed();
        let left = self.clear().map_err(|error| format!("clearing up: {error}"))?;
        if left.is_empty() {
            return Ok(well);
        }
        Err(format!("these namespaces of the run could not be cleared: {}", left.join(", ")))
    }

    async fn play(&self, scenario: &Scenario) {
        let mismatches = replay(self, scenario, &self.run, self.key.as_ref()).await;
        let report: Vec<_> = mismatches.iter().map(Mismatch::to_string).collect();
        assert!(report.is_empty(), "{} mismatches\n{}", report.len(), report.join("\n"));
    }

    /// Clears the namespaces of the run, whose names all have its number; those that still hold something
    /// come back.
    fn clear(&self) -> io::Result<Vec<String>> {
        let own = self.run.as_str();
        let mut left = self.texts("/namespaces/list")?;
        left.retain(|name| name.contains(own));
        for name in &left {
            self.asked("DELETE", &format!("/test-data/clear/{name}"))?;
            // Where that route is switched off, entry by entry.
            for id in self.texts(&format!("/{name}/file-ids"))? {
                self.asked("DELETE", &format!("/{name}/cache/{id}/data/delete/all"))?;
                self.asked("DELETE", &format!("/{name}/delete/{id}"))?;
            }
        }
        let mut left = self.texts("/namespaces/list")?;
        left.retain(|name| name.contains(own));
        Ok(left)
    }

    fn texts(&self, path: &str) -> io::Result<Vec<String>> {
        let reply = self.asked("GET", path)?;
        serde_json::from_slice(&reply.body).map_err(|error| {
            let said = String::from_utf8_lossy(&reply.body);
            io::Error::other(format!("{path} gave {} {said}: {error}", reply.status))
        })
    }

    fn asked(&self, method: &str, path: &str) -> io::Result<Reply> {
        let headers: Vec<_> = self.key.clone().into_iter().collect();
        self.call(method, path, &headers, None)
    }

    fn call(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> io::Result<Reply> {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.base));
        for (name, value) in headers {
            // As the transcripts have them: ISO 8859-1, or else UTF-8.
            let latin1: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
            let value = latin1.unwrap_or_else(|_| value.as_bytes().to_vec());
            let value = HeaderValue::from_bytes(&value).map_err(io::Error::other)?;
            request = request.header(name, value);
        }
        let answer = match body {
            Some(body) => self.agent.run(request.body(body).map_err(io::Error::other)?),
            None if matches!(method, "POST" | "PUT" | "PATCH") => {
                self.agent.run(request.body(&[] as &[u8]).map_err(io::Error::other)?)
            }
            None => self.agent.run(request.body(()).map_err(io::Error::other)?),
        };
        let mut answer = answer.map_err(io::Error::other)?;
        let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
        let headers = headers.collect();
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(MOST).read_to_vec();
        Ok(Reply { status, headers, body: body.map_err(io::Error::other)? })
    }
}

impl Transport for Deployment {
    /// Waits where it is called: each test has threads of its own.
    async fn send(
        &self,
        method: &str,
        raw_target: String,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
    ) -> io::Result<Reply> {
        self.call(method, &raw_target, &headers, body.as_deref())
    }
}

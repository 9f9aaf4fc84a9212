//! A server, what it has to offer, and holding it to the checks.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(feature = "command")]
use std::time::Duration;
use std::time::SystemTime;

use super::case::Api;
use super::client::Client;
use super::spaces::Spaces;
use crate::check::{Check, Offers, Run};
use crate::execute::{self, finding, mix, watched};
use crate::gate::Gate;
use crate::report::{Finding, Report, Verdict};
use crate::run::Settings;

/// Where a server is, and the key it asks for.
#[derive(Clone)]
pub struct Server {
    pub(crate) base: String,
    /// The header's name, and the key.
    pub(crate) key: Option<(String, String)>,
}

/// Without the key: it is a secret.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.base)
    }
}

impl Server {
    /// A server by its base URL, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), key: None }
    }

    /// The same, with the key it asks for.
    #[must_use]
    pub fn with_key(self, name: &str, key: &str) -> Self {
        Self { key: Some((name.to_owned(), key.to_owned())), ..self }
    }
}

/// A server that answers, ready to be held to checks.
#[derive(Debug)]
pub struct Battery {
    server: Server,
    version: String,
    settings: Settings,
    offers: Offers,
    spaces: Arc<Spaces>,
    /// What the calls of the checks go through; those that clear up do not.
    gate: Arc<Gate>,
    started: SystemTime,
}

impl Battery {
    /// Asks the server who it is and what is turned on.
    ///
    /// # Errors
    ///
    /// It does not answer, or not as a server of this API, or the key is wrong: nothing can be said of
    /// such a server, so this is no finding.
    pub fn connect(server: Server, settings: Settings) -> Result<Self, String> {
        Self::connect_as(server, settings, crate::run_name())
    }

    /// The same, with the name of a run that may have been before.
    pub(crate) fn connect_as(
        server: Server,
        settings: Settings,
        run: String,
    ) -> Result<Self, String> {
        let client = Client::new(server.clone(), Arc::default());
        let ask = |path: &str| client.get(path).map_err(|failure| failure.what);
        let health = ask("/info/health")?;
        match health.status {
            200 => {}
            401 | 403 => return Err(format!("{health}: give the key with --api-key")),
            _ => return Err(format!("{health}: not a server of this API")),
        }
        if health.has("status", "ok").is_err() {
            return Err(format!("{health}: not a server of this API"));
        }
        let told = |path: &str, members: &[&str]| {
            let answer = ask(path).ok()?;
            let texts = members.iter().filter_map(|member| answer.text_of(member).ok());
            Some(texts.collect::<Vec<_>>().join(" "))
        };
        let name = told("/info/status", &["name", "version"]).unwrap_or_default();
        let mode = told("/server/storage/info", &["storage_mode"]).unwrap_or_default();
        let version = format!("{name}, store: {mode}");
        let nowhere = crate::run_name();
        let offers = Offers {
            api_key: server.key.is_some(),
            admin_routes: ask("/admin/storage/bucket-name")?.status == 200,
            test_data_routes: clearing(&client, &nowhere),
            ..Offers::default()
        };
        let spaces = Arc::new(Spaces::new(client, run, offers.test_data_routes));
        let gate = Arc::default();
        Ok(Self { server, version, settings, offers, spaces, gate, started: SystemTime::now() })
    }

    /// Why a check is not asked of this server, if it is not.
    #[must_use]
    pub fn unmet(&self, check: &Check) -> Option<&'static str> {
        let promises = larder::storage::Promises {
            atomic_batches: false,
            survives_restart: false,
            shared_between_processes: false,
        };
        check.needs.unmet(promises, self.offers)
    }

    /// Holds the server to one check, and clears up after it.
    #[must_use]
    pub fn run(&self, check: &Check) -> Finding {
        finding(check, || match (self.unmet(check), check.run) {
            (Some(reason), _) => Verdict::NotChecked(reason.into()),
            (None, Run::Api(run)) => self.attempt(check, run),
            (None, Run::Store(_)) => Verdict::NotChecked("is a property of stores".into()),
        })
    }

    fn attempt(&self, check: &Check, run: fn(&Api) -> crate::check::Outcome) -> Verdict {
        let mine = Arc::new(Mutex::default());
        let api = Api {
            client: Client::new(self.server.clone(), Arc::clone(&self.gate)),
            spaces: Arc::clone(&self.spaces),
            mine: Arc::clone(&mine),
            seed: mix(self.settings.seed, check.number),
            cases: self.settings.cases,
            shrink: self.settings.shrink,
        };
        let verdict = watched(check, self.settings.patience, move || {
            run(&api).map_err(|mut failure| {
                failure.program = failure.program.or_else(|| api.client.story());
                failure
            })
        });
        let made = std::mem::take(&mut *mine.lock().unwrap_or_else(PoisonError::into_inner));
        self.spaces.clear(&made);
        verdict
    }

    /// Holds the server to all checks, and clears up.
    #[must_use]
    pub fn run_all(&self) -> Report {
        let checks = super::all();
        let checks: Vec<_> = checks.iter().collect();
        let never = AtomicBool::new(false);
        let hold = |check: &Check| self.run(check);
        let findings = execute::all(&hold, &checks, execute::usual_threads(), &never, &mut |_| {});
        self.report(findings)
    }

    /// Clears everything the run has made and not yet cleared; what could not be cleared comes back.
    pub fn clean_up(&self) -> Vec<String> {
        self.spaces.clear_all()
    }

    /// Ends the calls of all checks: none begins any more. How many are still under way after so long
    /// comes back.
    #[cfg(feature = "command")]
    pub(crate) fn halt(&self, patience: Duration) -> usize {
        self.gate.shut(patience)
    }

    /// What the names of all namespaces of the run begin with.
    #[cfg(feature = "command")]
    pub(crate) fn run_name(&self) -> &str {
        self.spaces.run()
    }

    /// A report of findings made elsewhere. Clears up first, to say what was left behind.
    #[must_use]
    pub fn report(&self, findings: Vec<Finding>) -> Report {
        let left = self.clean_up();
        let mut notes = Vec::new();
        if !left.is_empty() {
            notes
                .push(format!("left behind, since they could not be cleared: {}", left.join(", ")));
        }
        let again = format!(
            "larder-conformance run --http {} --seed {} --cases {} {{number}}",
            self.server.base, self.settings.seed, self.settings.cases
        );
        Report {
            subject: self.server.base.clone(),
            about: vec![("server", self.version.clone())],
            seed: self.settings.seed,
            cases: self.settings.cases,
            again,
            started: self.started,
            took: self.started.elapsed().unwrap_or_default(),
            findings,
            notes,
        }
    }
}

/// Whether namespaces can be cleared in one call; asked of one that is empty.
fn clearing(client: &Client, nowhere: &str) -> bool {
    client.delete(&format!("/test-data/clear/{nowhere}")).is_ok_and(|reply| reply.status == 200)
}

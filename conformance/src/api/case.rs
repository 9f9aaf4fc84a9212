//! Where a check of a server works: namespaces of its own, and cases drawn and shrunk by proptest.

use std::sync::{Arc, Mutex, PoisonError};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::client::Client;
use super::spaces::{Space, Spaces};
use crate::bench::{DEFAULT_CASES, Random};
use crate::check::Outcome;
use crate::report::Failure;

/// How often a counter-example is made smaller: each try is a few calls.
const SHRINKS: u32 = 400;

/// And for how long at most.
const SHRINK_MS: u32 = 20_000;

/// Where one check works.
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(super) spaces: Arc<Spaces>,
    /// The namespaces this check has made.
    pub(super) mine: Arc<Mutex<Vec<String>>>,
    pub(crate) seed: u64,
    pub(crate) cases: u32,
    pub(super) shrink: bool,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({:?})", self.client)
    }
}

impl Api {
    /// A namespace nobody has used, and the start of a new story.
    pub(crate) fn fresh(&self) -> Space<'_> {
        self.client.begin();
        let name = self.spaces.name();
        self.space(name.clone(), &name)
    }

    /// A namespace as it is written in a path, and its clean name. The clean name begins with that of
    /// a fresh one.
    pub(crate) fn space(&self, clean: String, written: &str) -> Space<'_> {
        self.spaces.note(&clean);
        self.mine.lock().unwrap_or_else(PoisonError::into_inner).push(clean.clone());
        Space { api: self, clean, written: written.to_owned() }
    }

    /// `usual` rounds at the default case count, in proportion otherwise, at least one.
    pub(crate) fn rounds(&self, usual: u32) -> u32 {
        let rounds = u64::from(usual) * u64::from(self.cases) / u64::from(DEFAULT_CASES);
        u32::try_from(rounds).unwrap_or(u32::MAX).max(1)
    }

    pub(crate) fn random(&self) -> Random {
        Random(self.seed)
    }

    /// Clears what this check has made, as far as it is not needed any more.
    fn tidy(&self) {
        let mine = std::mem::take(&mut *self.mine.lock().unwrap_or_else(PoisonError::into_inner));
        self.spaces.clear(&mine);
    }

    /// Draws so many cases; the smallest one that fails is tried once more for its story.
    pub(crate) fn forall<S: Strategy>(
        &self,
        usual: u32,
        cases: S,
        run: impl Fn(&S::Value) -> Outcome,
    ) -> Outcome {
        let config = Config {
            cases: self.rounds(usual),
            failure_persistence: None,
            max_shrink_iters: if self.shrink { SHRINKS } else { 0 },
            max_shrink_time: SHRINK_MS,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let answer = runner.run(&cases, |case| {
            let outcome = run(&case).map_err(|failure| TestCaseError::fail(failure.to_string()));
            self.tidy();
            outcome
        });
        match answer {
            Ok(()) => Ok(()),
            Err(TestError::Fail(reason, case)) => {
                self.client.begin();
                Err(match run(&case) {
                    Err(failure) => failure,
                    Ok(()) => Failure::new(format!("{reason} (but not when it was tried again)")),
                })
            }
            Err(TestError::Abort(reason)) => Err(Failure::inconclusive(reason.to_string())),
        }
    }
}

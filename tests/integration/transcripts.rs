//! Every recorded transcript, over the API on S3.

use std::path::Path;
use std::sync::Arc;

use libtest_mimic::Trial;

use crate::it::harness;
use crate::it::replay::{InProcess, Mismatch, Scenario, replay};
use crate::server::Server;
use crate::trial;

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden");
    let scenarios = Scenario::load_dir(&folder).expect("scenarios in tests/golden");
    assert!(!scenarios.is_empty(), "no scenario in {}", folder.display());
    let trials = scenarios.into_iter().map(|scenario| {
        let server = server.clone();
        trial(format!("transcript::{}", scenario.name), async move || {
            let store = server.store(&format!("transcript-{}", scenario.name)).await;
            let (router, key) = harness::app_over(Arc::new(store));
            let mismatches =
                replay(&InProcess::new(router), &scenario, "0a1b2c3d", Some(&key)).await;
            let report: Vec<_> = mismatches.iter().map(Mismatch::to_string).collect();
            assert!(report.is_empty(), "{} mismatches\n{}", report.len(), report.join("\n"));
        })
    });
    trials.collect()
}

//! The recorded scenarios, played in process against every store that needs no server.
//!
//! Each file of `tests/golden` is a test of its own, on a fresh server, so a failure names its
//! scenario. The files are listed when this module is compiled: after adding one, touch this file
//! (or build from clean). The replay on a shared server finds new files by itself.

use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::harness::{self, OpenStore};
use crate::replay::{InProcess, Mismatch, Scenario, replay};

#[track_caller]
fn assert_none(mismatches: &[Mismatch]) {
    let report: Vec<String> = mismatches.iter().map(Mismatch::to_string).collect();
    assert!(mismatches.is_empty(), "{} mismatches\n{}", mismatches.len(), report.join("\n"));
}

#[rstest]
#[tokio::test]
async fn scenario(#[files("tests/golden/*.json")] file: PathBuf) {
    let (router, api_key) = harness::app();
    let server = InProcess::new(router);
    let scenarios =
        Scenario::load_file(&file).unwrap_or_else(|e| panic!("failed to load a scenario: {e}"));
    for scenario in scenarios {
        assert_none(&replay(&server, &scenario, "0a1b2c3d", Some(&api_key)).await);
    }
}

/// What one scenario, or an earlier run of the same, leaves behind must not show in another. Every
/// store answers as memory does.
#[rstest]
#[case::memory(harness::memory)]
#[case::local_disk(harness::local_disk)]
#[case::sqlite(harness::sqlite)]
#[case::sqlite_in_memory(harness::sqlite_in_memory)]
#[case::zip(harness::zip)]
#[tokio::test]
async fn all_scenarios_twice_on_one_server(#[case] open: OpenStore) {
    let home = tempfile::tempdir().expect("a folder");
    let (router, api_key) = harness::app_over(open(home.path()));
    let server = InProcess::new(router);
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let scenarios =
        Scenario::load_dir(&dir).unwrap_or_else(|e| panic!("failed to load the scenarios: {e}"));
    assert!(!scenarios.is_empty(), "no scenario in {}", dir.display());
    let mut mismatches = Vec::new();
    for run_id in ["00000001", "00000002"] {
        for scenario in &scenarios {
            mismatches.extend(replay(&server, scenario, run_id, Some(&api_key)).await);
        }
    }
    assert_none(&mismatches);
}

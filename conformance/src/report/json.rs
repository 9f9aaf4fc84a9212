//! A report for programs.
//!
//! `schema` changes when a member changes its meaning or goes; members may be added.

use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use super::{Finding, Report, Verdict};

pub(super) fn render(reports: &[Report]) -> String {
    let reports: Vec<_> = reports.iter().map(report).collect();
    let document = json!({
        "schema": 1,
        "battery": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
        "reports": reports,
    });
    format!("{document:#}\n")
}

fn report(report: &Report) -> Value {
    let counts = report.counts();
    let about = report.about.iter().map(|(name, value)| ((*name).into(), value.as_str().into()));
    let started = report.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "subject": report.subject,
        "about": about.collect::<Map<_, _>>(),
        "clean": report.is_clean(),
        "seed": report.seed,
        "cases": report.cases,
        "started_ms": u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
        "took_seconds": report.took.as_secs_f64(),
        "passed": counts.passed,
        "failed": counts.failed,
        "not_checked": counts.not_checked,
        "notes": report.notes,
        "findings": report.findings.iter().map(|found| finding(report, found)).collect::<Vec<_>>(),
    })
}

fn finding(report: &Report, finding: &Finding) -> Value {
    let mut value = json!({
        "number": finding.number,
        "group": finding.group.title(),
        "sentence": finding.sentence,
        "source": finding.source,
        "took_seconds": finding.took.as_secs_f64(),
    });
    match &finding.verdict {
        Verdict::Pass => value["verdict"] = "pass".into(),
        Verdict::NotChecked(reason) => {
            value["verdict"] = "not_checked".into();
            value["reason"] = reason.as_str().into();
        }
        Verdict::Fail(failure) => {
            value["verdict"] = if failure.inconclusive { "inconclusive" } else { "fail" }.into();
            value["what"] = failure.what.as_str().into();
            value["program"] = failure.program.clone().into();
            value["again"] = report.again(finding.number).into();
        }
    }
    value
}

//! A report for CI servers. What was not checked is `skipped`, with the reason; an inconclusive
//! check is an `error`, not a `failure`.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, Report, Verdict};

pub(super) fn render(reports: &[Report]) -> Result<String, String> {
    let mut document = Document::new(env!("CARGO_PKG_NAME"));
    document.add_test_suites(reports.iter().map(suite));
    document.to_string().map_err(|error| error.to_string())
}

fn suite(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new(report.subject.as_str());
    suite.set_time(report.took);
    suite.add_property(("seed", report.seed.to_string().as_str()));
    suite.add_property(("cases", report.cases.to_string().as_str()));
    for (name, value) in &report.about {
        suite.add_property((*name, value.as_str()));
    }
    suite.add_test_cases(report.findings.iter().map(|found| case(report, found)));
    suite
}

fn case(report: &Report, finding: &Finding) -> TestCase {
    let status = match &finding.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::NotChecked(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        Verdict::Fail(failure) => {
            let kind =
                if failure.inconclusive { NonSuccessKind::Error } else { NonSuccessKind::Failure };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(failure.what.as_str());
            let program = failure.program.as_deref().unwrap_or_default();
            let text = format!(
                "{}\n{program}\n({})\nagain: {}",
                failure.what,
                finding.source,
                report.again(finding.number)
            );
            status.set_description(text);
            status
        }
    };
    let mut case = TestCase::new(format!("{} {}", finding.number, finding.sentence), status);
    case.set_classname(finding.group.title());
    case.set_time(finding.took);
    case
}

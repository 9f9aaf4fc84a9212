//! A report as lines of text, the way test programs print.

use std::io::{self, Write};

use super::{Finding, Report, Verdict};

/// Writes what failed, what was not checked, and the counts.
pub fn summary(out: &mut impl Write, report: &Report) -> io::Result<()> {
    summary_of(out, report, 0)
}

/// The same of a run that left out so many checks since nobody asked for them.
pub(crate) fn summary_of(
    out: &mut impl Write,
    report: &Report,
    filtered_out: usize,
) -> io::Result<()> {
    findings(out, report)?;
    let counts = report.counts();
    let verdict = if counts.failed == 0 { "ok" } else { "FAILED" };
    let took: f64 = report.findings.iter().map(|finding| finding.took.as_secs_f64()).sum();
    writeln!(
        out,
        "\ntest result: {verdict}. {} passed; {} failed; {} ignored; 0 measured; {filtered_out} filtered out; checks took {took:.2}s",
        counts.passed, counts.failed, counts.not_checked
    )
}

/// Writes what failed and what was not checked.
pub fn findings(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let of = |verdict: &Verdict| matches!(verdict, Verdict::NotChecked(_));
    for finding in &report.findings {
        if let Verdict::Fail(failure) = &finding.verdict {
            let Finding { number, sentence, source, .. } = finding;
            writeln!(out, "\n---- {number} {sentence} ({source})\n{failure}")?;
            writeln!(out, "again: {}", report.again(number))?;
        }
    }
    if report.findings.iter().any(|finding| of(&finding.verdict)) {
        writeln!(out, "\nnot checked:")?;
    }
    for finding in &report.findings {
        if let Verdict::NotChecked(reason) = &finding.verdict {
            writeln!(out, "    {} {}: {reason}", finding.number, finding.sentence)?;
        }
    }
    for note in &report.notes {
        writeln!(out, "\nnote: {note}")?;
    }
    Ok(())
}

//! A report as one page: no scripts, nothing fetched, everything that comes from outside escaped.

use std::fmt::{self, Write as _};
use std::time::Duration;

use time::OffsetDateTime;

use super::{Counts, Failure, Finding, Report, Verdict};
use crate::check::Group;

const STYLE: &str = include_str!("page.css");

pub(super) fn render(reports: &[Report]) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, reports);
    page
}

/// Text as it stands in a page or an attribute.
struct Esc<'a>(&'a str);

impl fmt::Display for Esc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(c)?,
                // Marks that turn text around, and what no page may hold, are shown as what they are.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(f, "\\u{{{:x}}}", c as u32)?
                }
                c if c.is_control() => write!(f, "\\x{:02x}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn write_page(page: &mut String, reports: &[Report]) -> fmt::Result {
    let names: Vec<_> = reports.iter().map(|report| report.subject.as_str()).collect();
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"content-security-policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{} · conformance</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header class=\"top\"><h1>Larder conformance report</h1></header>\n<main>\n",
        Esc(&names.join(", "))
    )?;
    for (nth, report) in reports.iter().enumerate() {
        subject(page, nth, report)?;
    }
    write!(
        page,
        "<p class=\"method\">Made by {} {}. A property has <b>failed</b> when a counter-example was \
         found, which is shown as small as it could be made; it <b>holds</b> when it was tried and none \
         was found. What is <b>not checked</b> was not tried, for the reason given, and says nothing \
         about the subject.</p>\n</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION")
    )
}

fn subject(page: &mut String, nth: usize, report: &Report) -> fmt::Result {
    let counts = report.counts();
    let (class, seal) =
        if report.is_clean() { ("pass", "holds") } else { ("fail", "violations found") };
    writeln!(page, "<section class=\"subject\">")?;
    writeln!(
        page,
        "<div class=\"lead\"><h2>{}</h2><span class=\"seal {class}\">{seal}</span></div>",
        Esc(&report.subject)
    )?;
    if let Some((_, first)) = report.about.first() {
        writeln!(page, "<p class=\"about\">{}</p>", Esc(first))?;
    }
    writeln!(page, "<div class=\"figures\">")?;
    for (class, count, name) in [
        ("pass", counts.passed, "hold"),
        ("fail", counts.failed, "failed"),
        ("none", counts.not_checked, "not checked"),
    ] {
        let class = if count == 0 { "nothing" } else { class };
        writeln!(page, "<div class=\"figure {class}\"><b>{count}</b><span>{name}</span></div>")?;
    }
    writeln!(
        page,
        "<div class=\"figure\"><b>{}</b><span>in all</span></div></div>",
        seconds(report.took)
    )?;
    bar(page, counts)?;
    facts(page, report)?;
    for note in &report.notes {
        writeln!(page, "<p class=\"note\">{}</p>", Esc(note))?;
    }
    failures(page, nth, report)?;
    groups(page, nth, report)?;
    choice(page, nth, counts)?;
    for group in present(report) {
        rows(page, nth, report, group)?;
    }
    writeln!(page, "</section>")
}

fn bar(page: &mut String, counts: Counts) -> fmt::Result {
    write!(page, "<div class=\"bar\">")?;
    for (class, count) in
        [("pass", counts.passed), ("fail", counts.failed), ("none", counts.not_checked)]
    {
        if count > 0 {
            write!(page, "<i class=\"{class}\" style=\"flex:{count}\"></i>")?;
        }
    }
    writeln!(page, "</div>")
}

fn facts(page: &mut String, report: &Report) -> fmt::Result {
    writeln!(page, "<dl class=\"facts\">")?;
    for (name, value) in report.about.iter().skip(1) {
        writeln!(page, "<dt>{}</dt><dd>{}</dd>", Esc(name), Esc(value))?;
    }
    writeln!(page, "<dt>begun</dt><dd>{}</dd>", date(report))?;
    writeln!(
        page,
        "<dt>seed</dt><dd>{}, with {} cases for each drawn property</dd></dl>",
        report.seed, report.cases
    )
}

/// The groups that have findings, in the order of reports.
fn present(report: &Report) -> Vec<Group> {
    let all = Group::ALL.into_iter().chain(Group::API);
    all.filter(|group| report.findings.iter().any(|finding| finding.group == *group)).collect()
}

/// The findings of a group, by number: `H-02` before `H-10`.
fn of(report: &Report, group: Group) -> Vec<&Finding> {
    sorted(report.findings.iter().filter(|finding| finding.group == group))
}

fn sorted<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<&'a Finding> {
    let mut findings: Vec<_> = findings.collect();
    findings.sort_by_key(|finding| {
        let (letter, number) = finding.number.split_once('-').unwrap_or((finding.number, ""));
        (letter, number.parse::<u32>().unwrap_or(u32::MAX))
    });
    findings
}

/// What failed comes before everything else, with its evidence.
fn failures(page: &mut String, nth: usize, report: &Report) -> fmt::Result {
    let failed = sorted(report.findings.iter().filter(|finding| finding.verdict.is_bad()));
    if failed.is_empty() {
        return Ok(());
    }
    writeln!(page, "<div class=\"failures\"><h3>What failed</h3><ol class=\"rows\">")?;
    for finding in failed {
        row(page, nth, report, finding, true)?;
    }
    writeln!(page, "</ol></div>")
}

/// The first thing read of a group, its counts.
fn tally(counts: Counts) -> String {
    let mut text = format!("{} of {} hold", counts.passed, counts.passed + counts.failed);
    if counts.passed + counts.failed == 0 {
        text = "nothing to try".into();
    }
    if counts.not_checked > 0 {
        let _ = write!(text, ", {} not checked", counts.not_checked);
    }
    text
}

fn anchor(nth: usize, group: Group) -> String {
    let name: String = group
        .title()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    format!("s{nth}-{name}")
}

fn groups(page: &mut String, nth: usize, report: &Report) -> fmt::Result {
    writeln!(page, "<nav class=\"groups\">")?;
    for group in present(report) {
        let counts = Counts::of(of(report, group));
        write!(
            page,
            "<a href=\"#{}\"><div class=\"name\">{}</div><div class=\"tally\">{}</div>",
            anchor(nth, group),
            group.title().trim_start_matches("HTTP API: "),
            tally(counts)
        )?;
        bar(page, counts)?;
        writeln!(page, "</a>")?;
    }
    writeln!(page, "</nav>")
}

/// Which rows are shown; chosen without a script.
fn choice(page: &mut String, nth: usize, counts: Counts) -> fmt::Result {
    writeln!(page, "<fieldset class=\"choice\">")?;
    let all = counts.passed + counts.failed + counts.not_checked;
    for (value, name, count) in [
        ("all", "All", all),
        ("fail", "Failed", counts.failed),
        ("none", "Not checked", counts.not_checked),
        ("pass", "Hold", counts.passed),
    ] {
        let checked = if value == "all" { " checked" } else { "" };
        writeln!(
            page,
            "<input type=\"radio\" name=\"show{nth}\" id=\"show{nth}{value}\" \
             value=\"{value}\"{checked}><label for=\"show{nth}{value}\">{name} {count}</label>"
        )?;
    }
    writeln!(page, "</fieldset>")
}

fn rows(page: &mut String, nth: usize, report: &Report, group: Group) -> fmt::Result {
    writeln!(
        page,
        "<div class=\"group\" id=\"{}\"><h3>{} <span class=\"tally\">{}</span></h3><ol class=\"rows\">",
        anchor(nth, group),
        Esc(group.title()),
        tally(Counts::of(of(report, group)))
    )?;
    for finding in of(report, group) {
        row(page, nth, report, finding, false)?;
    }
    writeln!(page, "</ol></div>")
}

/// One property; the evidence of a failure stands with the other failures.
fn row(
    page: &mut String,
    nth: usize,
    report: &Report,
    finding: &Finding,
    with_evidence: bool,
) -> fmt::Result {
    let (class, mark, said) = match &finding.verdict {
        Verdict::Pass => ("pass", "✓", "holds"),
        Verdict::NotChecked(_) => ("none", "–", "not checked"),
        Verdict::Fail(failure) if failure.inconclusive => ("unsure", "?", "inconclusive"),
        Verdict::Fail(_) => ("fail", "✗", "failed"),
    };
    let took = if matches!(finding.verdict, Verdict::NotChecked(_)) {
        String::new()
    } else {
        seconds(finding.took)
    };
    let id = if with_evidence {
        format!(" id=\"s{nth}-{}\"", Esc(finding.number))
    } else {
        String::new()
    };
    writeln!(
        page,
        "<li class=\"{class}\"{id}><div class=\"row\">\
         <span class=\"mark\" title=\"{said}\">{mark}</span><span class=\"number\">{}</span>\
         <span class=\"sentence\">{}</span><span class=\"took\">{took}</span>",
        Esc(finding.number),
        Esc(finding.sentence)
    )?;
    match &finding.verdict {
        Verdict::NotChecked(reason) => {
            writeln!(page, "<span class=\"reason\">not checked: {}</span></div></li>", Esc(reason))
        }
        Verdict::Pass => {
            writeln!(page, "<span class=\"source\">{}</span></div></li>", Esc(finding.source))
        }
        Verdict::Fail(_) if !with_evidence => writeln!(
            page,
            "<span class=\"source\">{}; <a href=\"#s{nth}-{number}\">what came instead</a></span></div></li>",
            Esc(finding.source),
            number = Esc(finding.number)
        ),
        Verdict::Fail(failure) => {
            writeln!(page, "<span class=\"source\">{}</span></div>", Esc(finding.source))?;
            evidence(page, report, finding, failure)?;
            writeln!(page, "</li>")
        }
    }
}

fn evidence(
    page: &mut String,
    report: &Report,
    finding: &Finding,
    failure: &Failure,
) -> fmt::Result {
    write!(page, "<div class=\"evidence\">")?;
    let (what, more) = match failure.what.split_once('\n') {
        Some((what, more)) => (what, Some(more)),
        None => (failure.what.as_str(), None),
    };
    writeln!(page, "<p class=\"what\">{}</p>", Esc(what))?;
    if let Some(more) = more {
        writeln!(page, "<pre>{}</pre>", Esc(more))?;
    }
    if let Some(program) = &failure.program {
        let lines = program.lines().count();
        let open = if lines <= 12 { " open" } else { "" };
        writeln!(
            page,
            "<details{open}><summary>the smallest counter-example found, {lines} lines</summary><pre>"
        )?;
        for line in program.lines() {
            match line.split_once("   # ") {
                Some((call, answer)) => {
                    writeln!(page, "{} <span class=\"answer\"># {}</span>", Esc(call), Esc(answer))?
                }
                None => writeln!(page, "{}", Esc(line))?,
            }
        }
        writeln!(page, "</pre></details>")?;
    }
    writeln!(
        page,
        "<details><summary>try it again</summary><pre>{}</pre></details></div>",
        Esc(&report.again(finding.number))
    )
}

fn seconds(took: Duration) -> String {
    match took.as_secs_f64() {
        short if short < 0.0095 => "&lt;0.01 s".to_owned(),
        short if short < 9.95 => format!("{short:.2} s"),
        long if long < 600.0 => format!("{long:.0} s"),
        long => format!("{:.0} min", long / 60.0),
    }
}

/// When the run began, in UTC.
fn date(report: &Report) -> String {
    let began = OffsetDateTime::from(report.started);
    let (date, time) = (began.date(), began.time());
    format!("{date} {:02}:{:02} UTC", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::Esc;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let hostile = "<script>'\"&\u{202e}\0</script>";
        let shown = "&lt;script&gt;&#39;&quot;&amp;\\u{202e}\\x00&lt;/script&gt;";
        assert_eq!(Esc(hostile).to_string(), shown);
    }
}

//! `larder verify`.

use std::process::ExitCode;
use std::time::Instant;

use larder::cache::document::{Document, Writer};
use larder::cache::{Clock, SystemClock};
use larder::check::{self, Event, Finding, Options, Outcome, Repair, Summary};
use larder::config::{RepairScope, VerifyArguments};
use larder::http;

use super::progress::Progress;
use super::{ended, failed, open_there, size};

/// Checks, and says what was found.
pub(crate) async fn run(arguments: VerifyArguments) -> ExitCode {
    match attempt(&arguments).await {
        Ok(sound) => ended(sound),
        Err(error) => failed(&error),
    }
}

async fn attempt(arguments: &VerifyArguments) -> Result<bool, String> {
    let storage = open_there(&arguments.store, "verify").await?;
    let options = Options {
        namespaces: arguments.namespaces.clone(),
        repair: match arguments.repair {
            None => Repair::Nothing,
            Some(RepairScope::References) => Repair::References,
            Some(RepairScope::Orphans) => Repair::Orphans,
        },
        ..Options::new(SystemClock.now_ms())
    };
    let begun = Instant::now();
    let mut progress = Progress::start();
    let mut told = 0_u64;
    if arguments.json {
        let head = format!(r#"{{"store":{},"findings":["#, quoted(&arguments.store.address));
        progress.print(&head);
    }
    let checked = check::run(&*storage, &options, &mut |event| match event {
        Event::Found(finding) if arguments.json => {
            let comma = if told > 0 { "," } else { "" };
            told += 1;
            progress.print(&format!("{comma}{}", Line(finding).compact()));
        }
        Event::Found(finding) => progress.print(&text(finding)),
        Event::Progress(so_far) => {
            let done = so_far.entries + so_far.hashes + so_far.files;
            let detail = format!("{} found, {} read", so_far.findings(), size(so_far.bytes));
            progress.at("checking", done, None, &detail);
        }
    })
    .await;
    progress.finish();
    drop(storage);
    let seconds = begun.elapsed().as_secs_f64();
    if arguments.json {
        let error = checked.as_ref().err().map(|error| http::chain(error));
        let report = Report { options: &options, checked: checked.as_ref().ok(), error, seconds };
        progress.print(&format!(r#"],"summary":{}}}"#, report.compact()));
    }
    let summary = checked.map_err(|error| {
        format!("{}; what was found and repaired until then stands", http::chain(&error))
    })?;
    if !arguments.json {
        progress.print(&closing(&options, &summary, seconds));
    }
    Ok(summary.sound())
}

fn text(finding: &Finding) -> String {
    let Finding { kind, key, detail, outcome } = finding;
    let repair = kind.repair().unwrap_or_default();
    let outcome = match outcome {
        Outcome::Repairable => match kind.needs() {
            Repair::Orphans => format!("--repair=orphans would: {repair}"),
            _ => format!("--repair would: {repair}"),
        },
        Outcome::Repaired => format!("repaired: {repair}"),
        Outcome::Left(why) => format!("left alone: {why}"),
    };
    format!("{kind} {key}\n  {detail}\n  {outcome}")
}

fn closing(options: &Options, summary: &Summary, seconds: f64) -> String {
    let Summary { namespaces, entries, hashes, files, bytes, updated, young, .. } = summary;
    let mut lines = vec![format!(
        "{namespaces} namespaces, {entries} entries, {hashes} hash references, {files} files; \
         {} of content read in {seconds:.1} s",
        size(*bytes)
    )];
    if *updated > 0 {
        lines.push(format!("{updated} entries were updated since they were stored (no damage)"));
    }
    if *young > 0 {
        lines.push(format!("{young} files without an entry are too young to judge"));
    }
    lines.extend(summary.kinds().map(|(kind, count)| format!("{count} × {kind}")));
    lines.push(match (summary.findings(), options.repair) {
        (0, _) => "sound".to_owned(),
        (found, Repair::Nothing) => format!("{found} findings; nothing was changed"),
        (found, _) => format!("{found} findings, {} repaired", summary.repaired),
    });
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    let mut json = Writer::compact();
    json.string(text);
    json.finish()
}

struct Line<'a>(&'a Finding);

impl Document for Line<'_> {
    fn write(&self, json: &mut Writer) {
        let Finding { kind, key, detail, outcome } = self.0;
        json.object(|json| {
            json.name("kind").string(kind.name());
            json.name("key").string(key);
            json.name("detail").string(detail);
            let (state, why) = match outcome {
                Outcome::Repairable => ("repairable", None),
                Outcome::Repaired => ("repaired", None),
                Outcome::Left(why) => ("left", Some(*why)),
            };
            json.name("outcome").string(state);
            json.name("repair").string_or_null(kind.repair());
            json.name("needs").string(kind.needs().name());
            json.name("why_left").string_or_null(why);
        });
    }
}

struct Report<'a> {
    options: &'a Options,
    checked: Option<&'a Summary>,
    error: Option<String>,
    seconds: f64,
}

impl Document for Report<'_> {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("sound").bool(self.checked.is_some_and(Summary::sound));
            json.name("error").string_or_null(self.error.as_deref());
            json.name("repair").string(self.options.repair.name());
            json.name("milliseconds").number((self.seconds * 1000.0) as u64);
            let Some(summary) = self.checked else { return };
            json.name("namespaces").number(summary.namespaces);
            json.name("entries").number(summary.entries);
            json.name("hashes").number(summary.hashes);
            json.name("files").number(summary.files);
            json.name("bytes").number(summary.bytes);
            json.name("updated").number(summary.updated);
            json.name("young").number(summary.young);
            json.name("findings").number(summary.findings());
            json.name("repaired").number(summary.repaired);
            json.name("kinds").object(|json| {
                for (kind, count) in summary.kinds() {
                    json.name(kind.name()).number(count);
                }
            });
        });
    }
}

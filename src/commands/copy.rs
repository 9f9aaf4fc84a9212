//! `larder copy`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use larder::cache::document::{Document, Writer};
use larder::config::CopyArguments;
use larder::copy::{self, Names, Options, Round, Summary};
use larder::http;
use larder::storage::memory::Memory;

use super::progress::Progress;
use super::{ended, failed, open_lasting, open_there, size};

/// Copies, and says what became of it.
pub(crate) async fn run(arguments: CopyArguments) -> ExitCode {
    match attempt(&arguments).await {
        Ok(well) => ended(well),
        Err(error) => failed(&error),
    }
}

async fn attempt(arguments: &CopyArguments) -> Result<bool, String> {
    let CopyArguments { from, to, .. } = arguments;
    if from.storage == to.storage && from.address == to.address {
        return Err(format!("{} cannot be copied to itself", from.address));
    }
    let source = open_there(from, "copy").await?;
    let target = match arguments.dry_run {
        // A look must not make the store it looks for.
        true if !there(to)? => Arc::new(Memory::new()),
        _ => open_lasting(to, "copy to").await?,
    };
    let options = Options {
        namespaces: arguments.namespaces.clone(),
        overwrite: arguments.overwrite,
        dry_run: arguments.dry_run,
    };
    let begun = Instant::now();
    let mut progress = Progress::start();
    let copied = copy::run(&*source, &*target, &options, &mut |round, summary| {
        show(&mut progress, round, summary);
    })
    .await;
    progress.finish();
    let summary = copied.map_err(|error| {
        format!("{}; what was copied stands, run it again to go on", http::chain(&error))
    })?;
    // Some stores finish their files when they are closed.
    drop((source, target));
    let well = summary.complete(&options);
    let report =
        Report { arguments, summary: &summary, seconds: begun.elapsed().as_secs_f64(), well };
    progress.print(&if arguments.json { report.compact() } else { report.text() });
    Ok(well)
}

fn there(place: &larder::config::StorePlace) -> Result<bool, String> {
    let there = place.path().map_or(Ok(true), std::path::Path::try_exists);
    there.map_err(|error| format!("cannot look at {}: {error}", place.address))
}

fn show(progress: &mut Progress, round: Round, summary: &Summary) {
    let total = Some(summary.objects);
    match round {
        Round::Survey => {
            progress.at("listing", summary.objects, None, &size(summary.bytes));
        }
        Round::Copy => {
            progress.at("copying", summary.copied, total, &size(summary.copied_bytes));
        }
        Round::Check => {
            progress.at("checking", summary.verified, total, &size(summary.bytes));
        }
    }
}

struct Report<'a> {
    arguments: &'a CopyArguments,
    summary: &'a Summary,
    seconds: f64,
    well: bool,
}

impl Report<'_> {
    fn text(&self) -> String {
        let Summary { objects, bytes, skipped, missing, copied, copied_bytes, .. } = self.summary;
        let Summary { replaced, verified, conflicts, differing, .. } = self.summary;
        let (from, to) = (&self.arguments.from.address, &self.arguments.to.address);
        let mut lines = vec![format!("{from}: {objects} objects, {}", size(*bytes))];
        if self.refused() {
            listed(&mut lines, conflicts, "objects have other values in the target");
            lines.push("nothing was copied; --overwrite replaces them".to_owned());
            return lines.join("\n");
        }
        if self.arguments.dry_run {
            lines.push(format!(
                "{to}: {missing} would be copied, {skipped} are there already, {} would be replaced",
                conflicts.count
            ));
            return lines.join("\n");
        }
        lines.push(format!(
            "{to}: {copied} copied ({}, {replaced} of them replaced), {skipped} there already, \
             {verified} verified, in {:.1} s",
            size(*copied_bytes),
            self.seconds
        ));
        listed(&mut lines, differing, "objects are not the same in both now");
        if self.summary.source_changed {
            lines.push("the source changed during the copy".to_owned());
        }
        if !self.well {
            lines.push("not complete: run it again when the source is at rest".to_owned());
        }
        lines.join("\n")
    }

    fn refused(&self) -> bool {
        self.summary.conflicts.count > 0 && !self.arguments.overwrite
    }
}

fn listed(lines: &mut Vec<String>, names: &Names, what: &str) {
    if names.count > 0 {
        lines.push(format!("{} {what}:", names.count));
        lines.extend(names.first.iter().map(|name| format!("  {name}")));
        if names.count > names.first.len() as u64 {
            lines.push("  …".to_owned());
        }
    }
}

impl Document for Report<'_> {
    fn write(&self, json: &mut Writer) {
        let summary = self.summary;
        json.object(|json| {
            json.name("from").string(&self.arguments.from.address);
            json.name("to").string(&self.arguments.to.address);
            json.name("complete").bool(self.well && !self.arguments.dry_run);
            json.name("dry_run").bool(self.arguments.dry_run);
            json.name("refused").bool(self.refused());
            json.name("source_changed").bool(summary.source_changed);
            json.name("namespaces").number(summary.namespaces);
            json.name("objects").number(summary.objects);
            json.name("bytes").number(summary.bytes);
            json.name("missing").number(summary.missing);
            json.name("skipped").number(summary.skipped);
            json.name("copied").number(summary.copied);
            json.name("copied_bytes").number(summary.copied_bytes);
            json.name("replaced").number(summary.replaced);
            json.name("verified").number(summary.verified);
            json.name("milliseconds").number((self.seconds * 1000.0) as u64);
            for (name, names) in
                [("conflicts", &summary.conflicts), ("differing", &summary.differing)]
            {
                json.name(name).object(|json| {
                    json.name("count").number(names.count);
                    json.name("first").strings(&names.first);
                });
            }
        });
    }
}

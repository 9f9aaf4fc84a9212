//! Resident memory of an entry in memory mode, next to the weight of the five documents it is for whoever
//! reads it: content, its two descriptions and its two references, as files in any other mode.

use std::sync::Arc;

use futures_executor::block_on;
use larder::key::Namespace;
use larder::storage::memory::Memory;
use larder::storage::{Depth, StorageExt as _};
use serde_json::json;

mod entries;
#[expect(dead_code, reason = "there is one row")]
mod report;
#[expect(dead_code, reason = "no other process is looked at")]
mod server;
#[expect(dead_code, reason = "only its bodies and its allocator are used")]
mod work;

use entries::Entries;
use report::{argument, say, write};

fn main() {
    let count = argument("--entries").and_then(|entries| entries.parse().ok());
    let count: u64 = count.unwrap_or(100_000);
    let resident = || server::memory(std::process::id(), "VmRSS") as f64;
    let before = resident();
    let memory = Arc::new(Memory::new());
    let entries = Entries::new(Arc::<Memory>::clone(&memory));
    for number in 0..count {
        block_on(entries.store(number));
    }
    let each = (resident() - before) / count as f64;
    let everything = Namespace::clean("bench").expect("a name").everything();
    let files = block_on(memory.list_all(&everything, Depth::All)).expect("listed").0;
    let documents = files.iter().map(|file| file.size).sum::<u64>() as f64 / count as f64;
    let ratio = each / documents;
    say(&format!(
        "{count} entries of 1 KiB of JSON: {each:.0} bytes resident for each, {documents:.0} bytes \
         of documents, ratio {ratio:.2}"
    ));
    write(&[json!({
        "name": "memory", "entries": count, "resident": each.round(),
        "documents": documents.round(), "ratio": (ratio * 100.0).round() / 100.0,
    })]);
}

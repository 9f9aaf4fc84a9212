//! Names: any two valid keys live side by side, however much they look alike.

mod paths;
mod text;

use bytes::Bytes;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use larder::key::Key;

use super::check;
use crate::bench::{Bench, Handle, key, show_key};
use crate::check::{Check, Outcome};
use crate::ensure;
use crate::names::pools;

pub(super) const CHECKS: &[Check] = &[
    check(
        "S-01",
        "No two names of a pool grown by small changes are one object",
        "sentence 7",
        pairwise,
    ),
    check(
        "S-02",
        "Spaces and dots at either end of a segment are kept",
        "sentence 7",
        text::spaces_and_dots,
    ),
    check(
        "S-03",
        "Names reserved on some systems are names like others",
        "sentence 7",
        text::reserved,
    ),
    check(
        "S-04",
        "Percent-escapes are never decoded, made or made twice",
        "sentence 7",
        text::percent,
    ),
    check("S-05", "`+`, blank and `%20` are three names", "sentence 7", text::plus),
    check(
        "S-06",
        "Characters with a meaning in URLs, headers and quotes are kept",
        "sentence 7",
        text::url,
    ),
    check(
        "S-07",
        "Characters with a meaning in XML, and non-characters, are kept",
        "sentence 7",
        text::xml,
    ),
    check("S-08", "Normal forms of one text are different names", "sentence 7", text::normal_forms),
    check("S-09", "Names that differ only by case stay apart", "sentence 7", text::case),
    check(
        "S-10",
        "Emoji, marks, right-to-left and private characters are kept",
        "sentence 7",
        text::astral,
    ),
    check(
        "S-11",
        "A key and keys below it coexist, whatever the order of coming and going",
        "sentence 7",
        paths::chains,
    ),
    check(
        "S-12",
        "A name turns from key to folder and back many times",
        "sentence 7",
        paths::key_and_folder,
    ),
    check(
        "S-13",
        "Segments of up to 255 bytes are kept, whatever their characters",
        "MAX_SEGMENT_BYTES",
        paths::long_segments,
    ),
    check("S-14", "Keys of up to 1,024 bytes are kept", "MAX_KEY_BYTES", paths::long_keys),
    check(
        "S-15",
        "Long names that differ only at their end stay apart",
        "sentence 7",
        paths::long_twins,
    ),
    check(
        "S-16",
        "Names like a store's own files and suffixes are names like others",
        "sentence 7",
        paths::internals,
    ),
    check(
        "S-17",
        "Names that look like numbers or words of a language stay text",
        "sentence 7",
        text::numeric,
    ),
    check("S-18", "A backslash is a character, not a separator", "module key", text::backslash),
    check(
        "S-19",
        "Neighbours of `/` in the order stay apart: `a-b`, `a.b`, `a/b`, `a0`",
        "sentences 6 and 7",
        paths::neighbours,
    ),
    check(
        "S-20",
        "Deleting a name leaves names that begin with it, and names it begins with",
        "sentence 7",
        paths::delete_relatives,
    ),
    check("S-21", "Letters that look alike are different names", "sentence 7", text::look_alikes),
    check("S-22", "Paths of many segments are kept", "sentence 7", paths::deep),
    check(
        "S-23",
        "Repeated and nested segments of one name stay apart",
        "sentence 7",
        paths::repeated,
    ),
];

/// Holds names to living side by side: written, overwritten, deleted and written again one by one,
/// each leaves all others as they were.
fn apart(bench: &Bench, paths: &[&str]) -> Outcome {
    let fits = |path: &&&str| "team/".len() + path.len() <= bench.limits.key_bytes;
    let keys: Vec<_> = paths.iter().filter(fits).map(|path| key("team", path)).collect();
    let (_home, store) = bench.fresh()?;
    all_apart(bench, &store, &keys)
}

fn all_apart(bench: &Bench, store: &Handle, keys: &[Key]) -> Outcome {
    let mut values: Vec<Option<Bytes>> = vec![None; keys.len()];
    let last = &keys[keys.len() - 1];
    let compare = |values: &[Option<Bytes>], doing: &str, to: &Key| -> Outcome {
        // On slow stores all are read when all are written and in the end: no value is another's, so
        // what went to the wrong place is still seen.
        let all = !bench.limits.slow || to == last;
        let held = keys.iter().zip(values).filter(|(key, _)| all || *key == to);
        for (key, value) in held {
            let found = store.read(key)?;
            ensure!(
                found == *value,
                "{doing} {} made {} hold {found:?} instead of {value:?}",
                show_key(to),
                show_key(key)
            );
        }
        Ok(())
    };
    for (nth, key) in keys.iter().enumerate() {
        let value = Bytes::from(format!("first {nth}"));
        store.put(key, value.clone())?;
        values[nth] = Some(value);
        compare(&values, "putting", key)?;
    }
    let mut sorted: Vec<_> = keys.to_vec();
    sorted.sort();
    let listed = store.keys(&keys[0].namespace())?;
    ensure!(listed == sorted, "listed {listed:?}, not {sorted:?}");
    for (nth, key) in keys.iter().enumerate() {
        store.delete(key)?;
        values[nth] = None;
        compare(&values, "deleting", key)?;
        let value = Bytes::from(format!("second {nth}"));
        store.put(key, value.clone())?;
        values[nth] = Some(value);
        compare(&values, "putting again", key)?;
    }
    let listed = store.keys(&keys[0].namespace())?;
    ensure!(listed == sorted, "in the end listed {listed:?}, not {sorted:?}");
    Ok(())
}

fn pairwise(bench: &Bench) -> Outcome {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&bench.seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = pools(bench.limits.key_bytes, 0..1);
    for _ in 0..bench.rounds(60) {
        let Ok(tree) = strategy.new_tree(&mut runner) else { continue };
        let pool = tree.current();
        let mut keys: Vec<_> = (0..pool.paths.len()).map(|path| pool.key(0, path as u8)).collect();
        keys.sort();
        keys.dedup();
        let (_home, store) = bench.fresh()?;
        all_apart(bench, &store, &keys)?;
    }
    Ok(())
}

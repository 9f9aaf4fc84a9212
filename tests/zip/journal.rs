//! Journals as crashes, other programs and bad disks leave them.

use std::fs;
use std::path::Path;

use larder::storage::Error;
use larder::storage::blocking::BlockingStorage;

use crate::help::{
    Home, archive, batch_of, copy, files, journal, key, keys, members, open, put, text, told,
    try_open,
};

/// A store that crashed with two batches in its journal, and where the last record starts.
fn crashed() -> (tempfile::TempDir, usize) {
    let home = Home::new();
    home.put("team/archived", "in the archive");
    home.store.checkpoint().unwrap();
    home.put("team/first", "in the journal");
    let start = fs::metadata(journal(home.dir.path())).unwrap().len();
    let mut batch = batch_of("team/x");
    batch.put(key("team/first"), "changed by the last");
    batch.put(key("team/last"), "new in the last");
    batch.then();
    batch.delete(key("team/archived"));
    home.store.apply(batch).unwrap();
    (copy(home.dir.path()), start as usize)
}

fn refused(folder: &Path) -> String {
    let before = copy(folder);
    let error = try_open(folder).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert_eq!(files(folder), files(before.path()));
    for name in files(folder) {
        let (now, then) = (fs::read(folder.join(&name)), fs::read(before.path().join(&name)));
        assert_eq!(now.unwrap(), then.unwrap(), "{name} was changed");
    }
    told(&error)
}

#[test]
fn a_record_cut_anywhere_never_happened() {
    let (crash, start) = crashed();
    let whole = fs::read(journal(crash.path())).unwrap();
    for end in start..=whole.len() {
        let dir = copy(crash.path());
        fs::write(journal(dir.path()), &whole[..end]).unwrap();
        let store = open(dir.path());
        let (first, listed) = (text(&store, "team/first").unwrap().unwrap(), keys(&store, "team"));
        if end < whole.len() {
            assert_eq!(first, "in the journal", "cut at {end}");
            assert_eq!(listed, ["team/archived", "team/first"]);
        } else {
            assert_eq!(first, "changed by the last");
            assert_eq!(listed, ["team/first", "team/last"]);
        }
        if end % 8 != 0 {
            continue;
        }
        put(&store, "team/after", "written behind the cut").unwrap();
        let again = copy(dir.path());
        assert_eq!(keys(&open(again.path()), "team").len(), listed.len() + 1);
    }
}

#[test]
fn what_is_behind_the_last_record_does_not_count() {
    let (crash, start) = crashed();
    let whole = fs::read(journal(crash.path())).unwrap();
    let stale = whole[start..].to_vec();
    let record = b"LJR1 and so on, but no record".to_vec();
    for garbage in [vec![0; 5000], vec![0xff; 10], record, stale] {
        let dir = copy(crash.path());
        let instead = [&whole[..start], b"cut", &garbage].concat();
        fs::write(journal(dir.path()), instead).unwrap();
        assert_eq!(keys(&open(dir.path()), "team"), ["team/archived", "team/first"]);
        let dir = copy(crash.path());
        fs::write(journal(dir.path()), [&whole[..], &garbage].concat()).unwrap();
        let store = open(dir.path());
        assert_eq!(keys(&store, "team"), ["team/first", "team/last"]);
        drop(store);
        assert_eq!(files(dir.path()), ["cache.zip"]);
        assert_eq!(members(&archive(dir.path())).len(), 2);
    }
}

#[test]
fn damage_before_the_end_is_refused() {
    let home = Home::new();
    // Such batches are on the disk before the next one is written.
    let full = larder::storage::zip::Zip::open(home.archive(), larder::storage::Durability::Full);
    let full = full.unwrap();
    for n in 0..3 {
        put(&full, &format!("team/{n}"), "value").unwrap();
    }
    let crash = copy(home.dir.path());
    let whole = fs::read(journal(crash.path())).unwrap();
    // In the header, in the first record, in the second.
    for at in [0, 20, 60, 85, 100, 130, 200, 300] {
        let mut hurt = whole.clone();
        hurt[at] ^= 1;
        fs::write(journal(crash.path()), hurt).unwrap();
        let said = refused(crash.path());
        assert!(said.contains("larder-journal-1"), "{said}");
    }
}

#[test]
fn a_header_that_was_never_finished_is_no_journal() {
    let home = Home::new();
    home.put("team/a", "value");
    let crash = copy(home.dir.path());
    let whole = fs::read(journal(crash.path())).unwrap();
    let dir = home.close();
    for end in 0..80 {
        fs::write(dir.path().join("cache.zip.larder-journal-1"), &whole[..end]).unwrap();
        assert_eq!(keys(&open(dir.path()), "team"), ["team/a"]);
        assert_eq!(files(dir.path()), ["cache.zip"]);
    }
}

#[test]
fn a_journal_of_another_archive_is_refused() {
    let (crash, _) = crashed();
    // The Python service was started on the archive, and changed it.
    let other = Home::new();
    other.put("team/other", "by someone else");
    let other = other.close();
    fs::copy(archive(other.path()), archive(crash.path())).unwrap();
    let said = refused(crash.path());
    assert!(said.contains("larder-journal") && said.contains("4 changes"), "{said}");
    // Its owner decides to do without it.
    fs::remove_file(journal(crash.path())).unwrap();
    assert_eq!(keys(&open(crash.path()), "team"), ["team/other"]);
    // Nor does a journal do without its archive.
    let (crash, _) = crashed();
    fs::remove_file(archive(crash.path())).unwrap();
    refused(crash.path());
}

#[test]
fn a_journal_is_enough_for_a_store_without_an_archive_yet() {
    let home = Home::new();
    home.put("team/a", "value");
    let crash = copy(home.dir.path());
    fs::remove_file(archive(crash.path())).unwrap();
    assert_eq!(keys(&open(crash.path()), "team"), ["team/a"]);
}

/// A client cannot make the store take its value for a record.
#[test]
fn a_value_that_looks_like_a_journal_is_a_value() {
    let (crash, _) = crashed();
    let record = fs::read(journal(crash.path())).unwrap();
    let home = Home::new();
    let mut batch = batch_of("team/x");
    batch.put(key("team/journal"), record.clone());
    home.store.apply(batch).unwrap();
    let dir = copy(home.dir.path());
    // Cut in the middle of it.
    let whole = fs::read(journal(dir.path())).unwrap();
    fs::write(journal(dir.path()), &whole[..whole.len() - 3]).unwrap();
    assert!(keys(&open(dir.path()), "team").is_empty());
    let dir = copy(home.dir.path());
    let found = open(dir.path()).get(&key("team/journal")).unwrap().unwrap();
    assert_eq!(found.bytes[..], record[..]);
}

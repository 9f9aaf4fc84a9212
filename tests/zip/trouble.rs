//! What must be refused, and what must be said.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use larder::storage::blocking::BlockingStorage;
use larder::storage::zip::Zip;
use larder::storage::{Durability, Error};

use crate::help::{
    Home, archive, batch_of, child, child_home, delete, files, key, keys, members, open, put, say,
    text, told, try_open,
};

#[test]
fn what_is_no_archive_is_refused_and_not_touched() {
    let sample = {
        let home = Home::new();
        for n in 0..5 {
            home.put(&format!("team/{n}"), "some value");
        }
        fs::read(archive(home.close().path())).unwrap()
    };
    let mut hurt = sample.clone();
    let directory = sample.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
    hurt[directory] = b'X';
    let mut outside = sample.clone();
    outside[directory + 42..directory + 46].copy_from_slice(&(1_u32 << 20).to_le_bytes());
    let mut twice = sample.clone();
    let second = directory + 46 + "team/0".len();
    twice.copy_within(directory + 42..directory + 46, second + 42);
    for foreign in [
        b"SQLite format 3\0 and so on".to_vec(),
        b"x".to_vec(),
        vec![0; 100_000],
        sample[..sample.len() - 1].to_vec(),
        sample[..sample.len() / 2].to_vec(),
        sample[10..].to_vec(),
        hurt,
        outside,
        twice,
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(archive(dir.path()), &foreign).unwrap();
        let error = try_open(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert!(told(&error).contains("cache.zip"), "{}", told(&error));
        assert_eq!(fs::read(archive(dir.path())).unwrap(), foreign);
        assert_eq!(files(dir.path()), ["cache.zip"]);
    }
}

#[test]
fn a_missing_or_an_empty_file_is_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("some/folders/above");
    drop(open(&deep));
    assert!(members(&archive(&deep)).is_empty());
    fs::write(archive(dir.path()), "").unwrap();
    let store = open(dir.path());
    assert!(keys(&store, "team").is_empty());
    put(&store, "team/a", "value").unwrap();
    drop(store);
    assert_eq!(members(&archive(dir.path())).len(), 1);
}

#[test]
fn other_things_than_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(archive(dir.path())).unwrap();
    assert!(told(&try_open(dir.path()).unwrap_err()).contains("it is no file"));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(Zip::open(dir.path().join("file/cache.zip"), Durability::Relaxed).is_err());
    assert!(Zip::open("..", Durability::Relaxed).is_err());
    symlink("nowhere", archive(dir.path())).unwrap();
    assert!(told(&try_open(dir.path()).unwrap_err()).contains("leads nowhere"));
}

#[test]
fn a_link_is_followed_and_stays() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(elsewhere.path()));
    fs::set_permissions(archive(elsewhere.path()), fs::Permissions::from_mode(0o640)).unwrap();
    symlink(archive(elsewhere.path()), archive(dir.path())).unwrap();
    let store = open(dir.path());
    put(&store, "team/a", "value").unwrap();
    // One store, whichever way it is reached.
    assert_eq!(text(&open(elsewhere.path()), "team/a").unwrap().as_deref(), Some("value"));
    drop(store);
    assert_eq!(members(&archive(elsewhere.path())).len(), 1);
    assert!(fs::symlink_metadata(archive(dir.path())).unwrap().is_symlink());
    let mode = fs::metadata(archive(elsewhere.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "who may read it is the owner's to say");
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = child("trouble::holding_child", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(process.stdout.take().unwrap()));
    lines.find(|line| line.as_ref().is_ok_and(|line| line == "holding")).unwrap().unwrap();
    let error = try_open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(told(&error).contains("in use by another process"), "{}", told(&error));
    process.kill().unwrap();
    process.wait().unwrap();
    let store = open(dir.path());
    assert_eq!(text(&store, "team/held").unwrap().as_deref(), Some("value"));
}

#[test]
#[ignore = "a part of a_second_process_is_refused_until_the_first_is_gone"]
fn holding_child() {
    let Some(home) = child_home() else { return };
    let store = open(&home);
    // What is locked is the archive that is there now, not the one that was there first.
    put(&store, "team/held", "value").unwrap();
    store.checkpoint().unwrap();
    say("holding");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

#[test]
fn handles_of_one_process_share_a_store() {
    let home = Home::new();
    let other = open(home.dir.path());
    home.put("team/a", "one");
    assert_eq!(text(&other, "team/a").unwrap().as_deref(), Some("one"));
    let dir = home.close();
    put(&other, "team/a", "two").unwrap();
    drop(other);
    for _ in 0..50 {
        let store = open(dir.path());
        assert_eq!(text(&store, "team/a").unwrap().as_deref(), Some("two"));
    }
}

#[test]
fn a_damaged_value_is_an_error_and_the_others_are_not() {
    let home = Home::new();
    home.put("team/hurt", &"some text ".repeat(100));
    home.put("team/well", "well");
    let dir = home.close();
    let sample = fs::read(archive(dir.path())).unwrap();
    let name = sample.windows(9).position(|part| part == b"team/hurt").unwrap();
    // In the header: signature, name; in the data: at its start and near its end.
    for at in [name - 30, name, name + 9, name + 20] {
        let mut bytes = sample.clone();
        bytes[at] ^= 1;
        fs::write(archive(dir.path()), bytes).unwrap();
        let store = open(dir.path());
        assert!(matches!(store.get(&key("team/hurt")), Err(Error::Corrupt { .. })), "at {at}");
        assert!(matches!(store.stat(&key("team/hurt")), Err(Error::Corrupt { .. })));
        assert_eq!(text(&store, "team/well").unwrap().as_deref(), Some("well"));
        assert_eq!(keys(&store, "team").len(), 2, "it is listed");
        // What is not asked for stays as it is when the rest is put in order.
        put(&store, "team/new", "value").unwrap();
        drop(store);
        let store = open(dir.path());
        assert!(matches!(store.get(&key("team/hurt")), Err(Error::Corrupt { .. })));
        delete(&store, "team/hurt").unwrap();
        drop(store);
        assert_eq!(members(&archive(dir.path())).len(), 2);
    }
}

#[test]
fn what_another_program_puts_in_its_place_is_not_overwritten() {
    for remove in [false, true] {
        let home = Home::new();
        home.put("team/a", "value");
        home.store.checkpoint().unwrap();
        home.put("team/b", "in the journal");
        if remove {
            fs::remove_file(home.archive()).unwrap();
        } else {
            fs::write(home.archive(), "someone else's").unwrap();
        }
        let said = told(&home.store.checkpoint().unwrap_err());
        assert!(said.contains("by another program"), "{said}");
        // From now on nothing is taken that could not be found again.
        let mut batch = batch_of("team/c");
        batch.put(key("team/c"), "late");
        assert!(matches!(home.store.apply(batch), Err(Error::Unavailable { .. })));
        assert_eq!(text(&home.store, "team/b").unwrap().as_deref(), Some("in the journal"));
        let dir = home.close();
        let journals = files(dir.path()).into_iter().filter(|name| name.contains("journal"));
        assert!(journals.count() > 0, "what was acknowledged is kept");
        if remove {
            assert!(!files(dir.path()).contains(&"cache.zip".to_owned()));
        } else {
            assert_eq!(fs::read(archive(dir.path())).unwrap(), b"someone else's");
        }
    }
}

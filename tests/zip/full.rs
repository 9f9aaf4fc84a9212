//! A disk without room: the error says so, the old values stay, and all works when there is room.

use std::path::Path;
use std::process::Command;

use larder::storage::zip::Zip;
use larder::storage::{Durability, Error};

use crate::help::{Dice, archive, delete, files, keys, members, open, put, text};
use crate::roomless::{fill, refuse_too_large, see_cut_off, small_disk, with_cut_off};

#[test]
fn a_full_disk_says_so_and_keeps_what_it_has() {
    let Some(small) = small_disk("512k") else { return };
    let mut dice = Dice(5);
    let home = small.path();
    let store = Zip::open(archive(home), Durability::Full).unwrap();
    refuse_too_large(&store, "zip", &dice.noise(150_000), &dice.noise(700_000));

    // Until there is hardly a byte left; what was acknowledged is there, in this store and after it
    // was opened again, and there is no room to put the archive in order.
    let kept = fill(&store, || dice.noise(4096));
    assert!(kept > 10);
    assert!(matches!(store.checkpoint(), Err(Error::Full { .. })));
    assert_eq!(keys(&store, "team").len(), kept + 2);
    drop(store);
    assert!(members(&archive(home)).is_empty(), "the archive is as it was");
    assert!(!files(home).contains(&"cache.zip.larder-new".to_owned()), "{:?}", files(home));
    let again = Zip::open(archive(home), Durability::Full).unwrap();
    assert_eq!(keys(&again, "team").len(), kept + 2);
    assert_eq!(text(&again, "team/old").unwrap().as_deref(), Some("old"));

    let grown = Command::new("mount").args(["-o", "remount,size=2m"]).arg(home).status();
    assert!(grown.unwrap().success());
    delete(&again, "team/big").unwrap();
    put(&again, "team/old", "new").unwrap();
    drop(again);
    assert_eq!(files(home), ["cache.zip"]);
    assert_eq!(members(&archive(home)).len(), kept + 1);
    assert_eq!(text(&open(home), "team/old").unwrap().as_deref(), Some("new"));
}

#[test]
fn a_value_that_the_system_cuts_off_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    with_cut_off(64, dir.path());
    assert_eq!(files(dir.path()), ["cache.zip"]);
    assert_eq!(members(&archive(dir.path())).len(), 1);
}

#[test]
#[ignore = "a part of a_value_that_the_system_cuts_off_is_refused_whole"]
fn cut_off_child() {
    let open = |home: &Path| Zip::open(archive(home), Durability::Full).unwrap();
    see_cut_off(open, &Dice(3).noise(1 << 20));
}

//! A disk without room: the error says so, the old values stay, and all works when there is room.

use std::path::Path;
use std::process::Command;

use larder::storage::blocking::BlockingStorage;
use larder::storage::zip::Zip;
use larder::storage::{Durability, Error};

use crate::help::{
    Dice, SmallDisk, announce, archive, batch_of, child_home, child_of, delete, files, key, keys,
    members, open, put, say, text,
};

#[test]
fn a_full_disk_says_so_and_keeps_what_it_has() {
    let Some(small) = SmallDisk::mount("512k") else {
        announce(
            "a disk that is really full: only root can mount a small one; \
             the limit on file sizes stands in for it",
        );
        return;
    };
    let mut dice = Dice(5);
    let home = small.path();
    let store = Zip::open(archive(home), Durability::Full).unwrap();
    put(&store, "team/old", "old").unwrap();
    put(&store, "team/big", &dice.noise(150_000)).unwrap();

    for _ in 0..5 {
        let mut batch = batch_of("team/x");
        batch.put(key("team/old"), "new");
        batch.put(key("team/fits/in"), "y");
        batch.then();
        batch.put(key("team/too/big"), dice.noise(700_000));
        match store.apply(batch) {
            Err(Error::Full { backend: "zip", needed }) => assert_eq!(needed, 700_004),
            other => panic!("{other:?}"),
        }
        assert_eq!(text(&store, "team/old").unwrap().as_deref(), Some("old"));
        assert_eq!(keys(&store, "team"), ["team/big", "team/old"]);
    }

    // Until there is hardly a byte left; what was acknowledged is there, in this store and after it
    // was opened again, and there is no room to put the archive in order.
    let mut kept = 0;
    loop {
        match put(&store, &format!("team/many/{kept:05}"), &dice.noise(4096)) {
            Ok(()) => kept += 1,
            Err(Error::Full { .. }) => break,
            Err(other) => panic!("{other:?}"),
        }
    }
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

/// Needs no privilege, but is no full disk: the system refuses to let a file grow.
#[test]
fn a_value_that_the_system_cuts_off_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    let output = child_of(shell, "full::cut_off_child", dir.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("cut off: all seen"), "{output:?}");
    assert_eq!(files(dir.path()), ["cache.zip"]);
    assert_eq!(members(&archive(dir.path())).len(), 1);
}

#[test]
#[ignore = "a part of a_value_that_the_system_cuts_off_is_refused_whole"]
fn cut_off_child() {
    let Some(home) = child_home() else { return };
    let store = Zip::open(archive(Path::new(&home)), Durability::Full).unwrap();
    put(&store, "team/x", "old").unwrap();
    let too_big = Dice(3).noise(1 << 20);
    for _ in 0..3 {
        assert!(put(&store, "team/x", &too_big).is_err());
        assert!(put(&store, "team/new/y", &too_big).is_err());
        assert_eq!(keys(&store, "team"), ["team/x"]);
        assert_eq!(text(&store, "team/x").unwrap().as_deref(), Some("old"));
        put(&store, "team/x", "old").unwrap();
    }
    drop(store);
    say("cut off: all seen");
}

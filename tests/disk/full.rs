//! A disk without room: the error says so, the old values stay, and all works when there is room.

use std::path::Path;

use larder::storage::blocking::BlockingStorage;
use larder::storage::disk::Disk;
use larder::storage::{Durability, Error};

use crate::help::{
    SmallDisk, announce, batch_of, child_home, delete, key, keys, limited_child, put, say, text,
};
use crate::layout::files_in_making;

#[test]
fn a_full_disk_says_so_and_keeps_what_it_has() {
    let Some(small) = SmallDisk::mount("512k") else {
        announce(
            "a disk that is really full: only root can mount a small one; \
             the limit on file sizes stands in for it",
        );
        return;
    };
    let disk = Disk::open(small.path(), Durability::Full).unwrap();
    put(&disk, "team/old", "old").unwrap();
    put(&disk, "team/big", &"x".repeat(200_000)).unwrap();

    for _ in 0..5 {
        let mut batch = batch_of("team/x");
        batch.put(key("team/old"), "new");
        batch.put(key("team/fits/in"), "y");
        batch.then();
        batch.put(key("team/too/big"), "x".repeat(400_000));
        match disk.apply(batch) {
            Err(Error::Full { backend: "disk", needed }) => assert_eq!(needed, 400_004),
            other => panic!("{other:?}"),
        }
        assert_eq!(text(&disk, "team/old").unwrap().as_deref(), Some("old"));
        assert_eq!(keys(&disk, "team"), ["team/big", "team/old"]);
        assert_eq!(files_in_making(small.path()), 0);
    }

    // Until there is not a byte left; what was acknowledged is there, and can be deleted.
    let mut kept = 0;
    loop {
        match put(&disk, &format!("team/many/{kept:05}"), &"z".repeat(4096)) {
            Ok(()) => kept += 1,
            Err(Error::Full { .. }) => break,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(kept > 10);
    let again = Disk::open(small.path(), Durability::Full).unwrap();
    assert_eq!(keys(&again, "team").len(), kept + 2);
    delete(&again, "team/big").unwrap();
    put(&again, "team/old", "through the other").unwrap();
    put(&disk, "team/old", &"n".repeat(100_000)).unwrap();
    assert_eq!(text(&disk, "team/old").unwrap().unwrap().len(), 100_000);
}

/// Needs no privilege, but is no full disk: the system refuses to let a file grow.
#[test]
fn a_value_that_the_system_cuts_off_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let limit = "trap '' XFSZ; ulimit -f 64";
    let output = limited_child(limit, "full::cut_off_child", dir.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("cut off: all seen"), "{output:?}");
}

#[test]
#[ignore = "a part of a_value_that_the_system_cuts_off_is_refused_whole"]
fn cut_off_child() {
    let Some(home) = child_home() else { return };
    let disk = Disk::open(Path::new(&home), Durability::Full).unwrap();
    put(&disk, "team/x", "old").unwrap();
    let too_big = "x".repeat(1 << 20);
    assert!(put(&disk, "team/x", &too_big).is_err());
    assert!(put(&disk, "team/new/y", &too_big).is_err());
    assert_eq!(keys(&disk, "team"), ["team/x"]);
    assert_eq!(text(&disk, "team/x").unwrap().as_deref(), Some("old"));
    assert_eq!(files_in_making(&home), 0);
    put(&disk, "team/x", "new").unwrap();
    say("cut off: all seen");
}

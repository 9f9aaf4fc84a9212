//! A disk without room: the error says so, the old values stay, and all works when there is room.

use larder::storage::Durability;
use larder::storage::disk::Disk;

use crate::help::{delete, keys, put, text};
use crate::layout::files_in_making;
use crate::roomless::{fill, refuse_too_large, see_cut_off, small_disk, with_cut_off};

#[test]
fn a_full_disk_says_so_and_keeps_what_it_has() {
    let Some(small) = small_disk("512k") else { return };
    let disk = Disk::open(small.path(), Durability::Full).unwrap();
    refuse_too_large(&disk, "disk", &"x".repeat(200_000), &"x".repeat(400_000));
    assert_eq!(files_in_making(small.path()), 0);

    // Until there is not a byte left; what was acknowledged is there, and can be deleted.
    let kept = fill(&disk, || "z".repeat(4096));
    assert!(kept > 10);
    let again = Disk::open(small.path(), Durability::Full).unwrap();
    assert_eq!(keys(&again, "team").len(), kept + 2);
    delete(&again, "team/big").unwrap();
    put(&again, "team/old", "through the other").unwrap();
    put(&disk, "team/old", &"n".repeat(100_000)).unwrap();
    assert_eq!(text(&disk, "team/old").unwrap().unwrap().len(), 100_000);
}

#[test]
fn a_value_that_the_system_cuts_off_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    with_cut_off(64, dir.path());
    assert_eq!(files_in_making(dir.path()), 0);
}

#[test]
#[ignore = "a part of a_value_that_the_system_cuts_off_is_refused_whole"]
fn cut_off_child() {
    see_cut_off(|home| Disk::open(home, Durability::Full).unwrap(), &"x".repeat(1 << 20));
}

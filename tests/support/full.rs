//! Stores in files without room: what all of them do there.

use std::path::Path;

use larder::storage::Error;
use larder::storage::blocking::BlockingStorage;

use crate::stores::{
    SmallDisk, announce, batch_of, child_home, key, keys, limited_child, put, say, text,
};

/// A disk of so many bytes, as `mount` has it, where that can be had.
pub(crate) fn small_disk(size: &str) -> Option<SmallDisk> {
    let small = SmallDisk::mount(size);
    if small.is_none() {
        announce(
            "a disk that is really full: only root can mount a small one; \
             the limit on file sizes stands in for it",
        );
    }
    small
}

/// Puts two values, and then a batch whose last value is too large: it is refused, time and again, and
/// changes nothing.
pub(crate) fn refuse_too_large(
    store: &impl BlockingStorage,
    called: &str,
    big: &str,
    too_large: &str,
) {
    put(store, "team/old", "old").unwrap();
    put(store, "team/big", big).unwrap();
    for _ in 0..5 {
        let mut batch = batch_of("team/x");
        batch.put(key("team/old"), "new");
        batch.put(key("team/fits/in"), "y");
        batch.then();
        batch.put(key("team/too/big"), too_large.to_owned());
        match store.apply(batch) {
            Err(Error::Full { backend, needed }) => {
                assert_eq!((backend, needed), (called, too_large.len() as u64 + 4));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(text(store, "team/old").unwrap().as_deref(), Some("old"));
        assert_eq!(keys(store, "team"), ["team/big", "team/old"]);
    }
}

/// Puts values until there is no room for another; how many there are.
pub(crate) fn fill(store: &impl BlockingStorage, mut value: impl FnMut() -> String) -> usize {
    let mut kept = 0;
    loop {
        match put(store, &format!("team/many/{kept:05}"), &value()) {
            Ok(()) => kept += 1,
            Err(Error::Full { .. }) => return kept,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Runs the ignored test `full::cut_off_child`, whose files may not grow beyond so many blocks of 512
/// bytes. Needs no privilege, but is no full disk.
pub(crate) fn with_cut_off(blocks: u32, home: &Path) {
    let limit = format!("trap '' XFSZ; ulimit -f {blocks}");
    let output = limited_child(&limit, "full::cut_off_child", home).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("cut off: all seen"), "{output:?}");
}

/// In that child: values that are cut off are refused whole, others are not.
pub(crate) fn see_cut_off<S: BlockingStorage>(open: impl Fn(&Path) -> S, too_big: &str) {
    let Some(home) = child_home() else { return };
    let store = open(&home);
    put(&store, "team/x", "old").unwrap();
    for _ in 0..3 {
        assert!(put(&store, "team/x", too_big).is_err());
        assert!(put(&store, "team/new/y", too_big).is_err());
        assert_eq!(keys(&store, "team"), ["team/x"]);
        assert_eq!(text(&store, "team/x").unwrap().as_deref(), Some("old"));
        put(&store, "team/x", "old").unwrap();
    }
    put(&store, "team/x", "new").unwrap();
    drop(store);
    assert_eq!(text(&open(&home), "team/x").unwrap().as_deref(), Some("new"));
    say("cut off: all seen");
}

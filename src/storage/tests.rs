//! Steps name a key once, however large they are.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Batch, Expect};
use crate::key::{Key, Namespace, RelPath};

fn key(nth: usize) -> Key {
    let path = format!("k/{nth}");
    let path = RelPath::parse(&path).expect("a path");
    Namespace::clean("team").expect("a name").key(path).expect("a key")
}

#[test]
fn a_step_changes_a_key_once() {
    for size in [1, 31, 32, 33, 500] {
        let mut batch = Batch::new(&key(0).namespace());
        (0..size).for_each(|nth| batch.put(key(nth), "value"));
        for twice in [0, size / 2, size - 1] {
            let mut again = batch.clone();
            let put = AssertUnwindSafe(|| again.put_if(key(twice), "other", Expect::Absent));
            assert!(catch_unwind(put).is_err(), "{twice} of {size}");
        }
        // In the next step it may be changed again.
        batch.then();
        (0..size).for_each(|nth| batch.delete(key(nth)));
        assert_eq!(batch.steps().iter().map(Vec::len).collect::<Vec<_>>(), [size, size]);
    }
}

//! Readers among themselves: listings that run side by side, with nobody writing.

use larder::storage::Depth;

use super::check;
use super::concurrency::races::together;
use crate::bench::{Bench, folder, key, space};
use crate::check::{Check, Outcome};
use crate::ensure;

pub(super) const CHECKS: &[Check] = &[check(
    "C-20",
    "Listings that run at once are whole, each by itself, though nobody writes",
    "sentences 6 and 8",
    side_by_side,
)];

fn side_by_side(bench: &Bench) -> Outcome {
    let (home, store) = bench.fresh()?;
    let names = ["a", "m", "ns", "ns1", "z"];
    for name in names {
        for path in ["a", "b/x", "b/y", "c"] {
            store.put(&key(name, path), "stays")?;
        }
    }
    let expected = names.map(space);
    let another = bench.open(&home)?;
    together(4, |nth| {
        let handle = if nth % 2 == 0 { &store } else { &another };
        for round in 0..bench.rounds(250) as usize {
            let found = handle.namespaces()?;
            ensure!(found == expected, "beside other listings the namespaces are {found:?}");
            let name = names[(round + nth) % names.len()];
            let flat = handle.walk(&space(name).everything(), Depth::All, 3)?;
            ensure!(flat.entries.len() == 4, "beside other listings {name} holds {flat:?}");
            let children = handle.walk(&folder(name, "b"), Depth::Children, 1)?;
            ensure!(children.entries.len() == 2, "beside other listings b/ holds {children:?}");
        }
        Ok(())
    })?;
    Ok(())
}

//! Concurrency: several threads, several handles; lost updates are counted to zero, and what was
//! seen of a key can be put in an order.

mod beside;
mod guards;
mod handles;
mod order;
pub(super) mod races;
mod values;

use super::check;
use crate::check::Check;
pub(super) use order::{Recorder, race};

pub(super) const CHECKS: &[Check] = &[
    check(
        "C-01",
        "Writers of different keys all succeed and lose nothing",
        "sentence 2",
        handles::distinct_keys,
    ),
    check(
        "C-02",
        "Writers of one key leave one of their values, whole",
        "sentence 1",
        values::one_key,
    ),
    check(
        "C-03",
        "Readers during overwrites see a whole value, old or new",
        "sentence 1",
        values::whole_values,
    ),
    check(
        "C-04",
        "Readers during deletes and creations see a whole value or nothing",
        "sentence 1",
        values::whole_or_nothing,
    ),
    check(
        "C-05",
        "What threads see of a key can be put in an order, through one handle",
        "sentences 1, 2 and 4",
        order::linearizable,
    ),
    check(
        "C-06",
        "What threads see of a key can be put in an order, each with a handle of its own",
        "sentences 1, 2 and 4",
        order::linearizable_handles,
    ),
    check(
        "C-07",
        "Of those who create a key at once exactly one succeeds, and its value stays",
        "sentence 4",
        guards::one_creator,
    ),
    check(
        "C-08",
        "A counter that is read and replaced at its version loses no step",
        "sentence 4",
        guards::counter,
    ),
    check(
        "C-09",
        "A list that many append to keeps every acknowledged item once, as references must",
        "sentence 4",
        guards::appended_list,
    ),
    check(
        "C-10",
        "A delete that races guarded writes lets them win or lose, never both",
        "sentence 4",
        guards::delete_race,
    ),
    check(
        "C-11",
        "Keys that stay are listed once and in order beside writers",
        "sentence 6",
        beside::listing_beside_writers,
    ),
    check("C-12", "Sixty-four tasks on one thread all finish", "Storage", handles::one_thread),
    check(
        "C-13",
        "Sixteen handles opened at once are one store",
        "Subject::open",
        handles::opened_at_once,
    ),
    check(
        "C-14",
        "Batches that cross on the same keys finish, and one of them wins",
        "sentence 4",
        guards::crossing_batches,
    ),
    check(
        "C-15",
        "A guarded batch that lost left nothing, however it raced",
        "sentences 3 and 4",
        guards::losers_leave_nothing,
    ),
    check(
        "C-16",
        "Get and stat beside writers give versions that stand for one value each",
        "Version",
        beside::versions_beside_writers,
    ),
    check(
        "C-17",
        "A namespace that is emptied beside writers ends with what was written last",
        "sentence 2",
        handles::emptied_beside_writers,
    ),
    check(
        "C-18",
        "Namespaces are listed whole beside writers of others",
        "Storage::namespaces",
        beside::spaces_beside_writers,
    ),
    check(
        "C-19",
        "Many references in one batch each are counted exactly under contention",
        "sentence 4",
        guards::references,
    ),
];

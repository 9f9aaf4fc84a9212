//! Operations: what a program does to a store, and how programs are drawn.

use std::num::NonZeroUsize;

use bytes::Bytes;
use larder::key::{Key, Namespace, Prefix, RelPath};
use larder::storage::{Cursor, Depth};
use proptest::prelude::*;

use crate::names::{Pool, pools};

/// A sequence of operations on names and values that are written out, so that it can be kept and
/// replayed whatever becomes of the generator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Program(pub(crate) Vec<Op>);

impl Program {
    /// Every program that has one operation less, or one change of a batch.
    pub(crate) fn smaller(&self) -> impl Iterator<Item = Self> {
        let without_op = (0..self.0.len()).map(|at| {
            let mut smaller = self.clone();
            smaller.0.remove(at);
            smaller
        });
        let without_edit = self.0.iter().enumerate().flat_map(move |(at, op)| {
            let Op::Apply { steps, .. } = op else { return Vec::new() };
            let edits = steps
                .iter()
                .enumerate()
                .flat_map(|(step, edits)| (0..edits.len()).map(move |edit| (step, edit)));
            let several = steps.iter().flatten().count() > 1;
            let smaller = edits.filter(|_| several).map(|(step, edit)| {
                let mut smaller = self.clone();
                if let Some(Op::Apply { steps, .. }) = smaller.0.get_mut(at) {
                    steps[step].remove(edit);
                    steps.retain(|step| !step.is_empty());
                }
                smaller
            });
            smaller.collect::<Vec<_>>()
        });
        without_op.chain(without_edit)
    }
}

/// One operation; `on` is the handle that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Apply {
        on: u8,
        namespace: Namespace,
        steps: Vec<Vec<Edit>>,
    },
    Get {
        on: u8,
        key: Key,
    },
    Stat {
        on: u8,
        key: Key,
    },
    List {
        on: u8,
        prefix: Prefix,
        depth: Depth,
        after: Option<Cursor>,
        limit: NonZeroUsize,
    },
    Walk {
        on: u8,
        prefix: Prefix,
        depth: Depth,
        limit: NonZeroUsize,
    },
    Namespaces {
        on: u8,
    },
    /// Drop all handles and open again.
    Reopen,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) key: Key,
    /// What to put; `None` deletes.
    pub(crate) value: Option<Value>,
    pub(crate) guard: Guard,
}

/// An expectation, before it is known which version it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guard {
    Any,
    Absent,
    /// The version the key has now.
    Current,
    /// The oldest version this key was seen at.
    Stale,
    /// The version that another key has now.
    Of(Key),
    /// A version that no store made.
    Garbage,
}

/// A value by recipe, simplest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) kind: u8,
    pub(crate) len: u32,
    pub(crate) mark: u32,
}

/// How many kinds of values there are.
pub(crate) const KINDS: u8 = 8;

impl Value {
    pub(crate) fn bytes(self) -> Bytes {
        let len = self.len as usize;
        let mark = format!("<{}>", self.mark);
        let mut bytes: Vec<u8> = mark.bytes().cycle().take(len).collect();
        if len > 0 && len < mark.len() {
            bytes[0] = b'0' + (self.mark % 64) as u8;
        }
        let half = len / 2;
        match self.kind {
            // Text. Then: an end of zeros; lines; every byte; frames; white space; noise; zeros.
            0 => {}
            1 => bytes[half..].fill(0),
            2 => bytes.iter_mut().skip(1).step_by(3).for_each(|byte| *byte = b'\r'),
            3 => bytes.iter_mut().enumerate().for_each(|(at, byte)| {
                *byte = (at as u32).wrapping_mul(7).wrapping_add(self.mark ^ 0xff) as u8;
            }),
            4 => {
                let frames: [&[u8]; 5] = [
                    b"PK\x03\x04",
                    b"SQLite format 3\0",
                    b"\x1f\x8b\x08\0",
                    b"{\"v\":",
                    b"\xef\xbb\xbf",
                ];
                let frame = frames[self.mark as usize % frames.len()];
                for (byte, from) in bytes.iter_mut().zip(frame) {
                    *byte = *from;
                }
            }
            5 => {
                bytes.iter_mut().take(1).for_each(|byte| *byte = b'\n');
                bytes[half..].fill(b' ');
            }
            6 => {
                let mut random = crate::bench::Random(u64::from(self.mark));
                bytes.fill_with(|| random.next() as u8);
            }
            _ => bytes[len.min(2)..].fill(0),
        }
        if self.kind == 2 && len > 1 {
            bytes[len - 1] = b'\n';
        }
        bytes.into()
    }
}

/// What kinds of operations a case draws.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    /// How many namespaces join the first.
    pub(crate) namespaces: (usize, usize),
    pub(crate) handles: u8,
    pub(crate) reopen: bool,
    pub(crate) longest: usize,
    pub(crate) key_bytes: usize,
    pub(crate) value_bytes: usize,
}

/// Draws programs over a pool of related names.
pub(crate) fn programs(mix: Mix) -> BoxedStrategy<Program> {
    let pool = pools(mix.key_bytes, mix.namespaces.0..mix.namespaces.1);
    let ops = prop::collection::vec(sketches(mix), 4..mix.longest);
    (pool, ops)
        .prop_map(move |(pool, sketches)| {
            let ops = sketches.into_iter().enumerate();
            Program(ops.map(|(at, sketch)| sketch.resolve(&pool, at as u32, mix)).collect())
        })
        .boxed()
}

/// An operation with indices for names.
#[derive(Debug, Clone)]
enum Sketch {
    Apply { on: u8, namespace: u8, edits: Vec<EditSketch> },
    Get { on: u8, at: (u8, u8) },
    Stat { on: u8, at: (u8, u8) },
    List { on: u8, at: (u8, u8), whole: u8, depth: bool, after: u8, cursor: (u8, u8), limit: usize },
    Walk { on: u8, at: (u8, u8), whole: u8, depth: bool, limit: usize },
    Namespaces { on: u8 },
    Reopen,
}

#[derive(Debug, Clone)]
struct EditSketch {
    path: u8,
    value: Option<(u8, u32)>,
    guard: u8,
    other: u8,
    new_step: bool,
}

fn edits() -> impl Strategy<Value = EditSketch> {
    let len = prop_oneof![
        6 => prop::sample::select(vec![4_u32, 0, 1, 5, 8, 17]),
        2 => prop::sample::select(vec![100_u32, 255, 256, 257, 1000, 4096]),
        1 => prop::sample::select(vec![65_537_u32, 100_001]),
    ];
    let value = prop_oneof![
        3 => (0..KINDS, len).prop_map(Some),
        1 => Just(None),
    ];
    // 0 and 1 are no guard, so that most writes succeed.
    let guard = prop_oneof![5 => Just(0_u8), 5 => 1..7_u8];
    (any::<u8>(), value, guard, any::<u8>(), prop::bool::weighted(0.4)).prop_map(
        |(path, value, guard, other, new_step)| EditSketch { path, value, guard, other, new_step },
    )
}

fn sketches(mix: Mix) -> impl Strategy<Value = Sketch> {
    let on = 0..mix.handles;
    let at = (any::<u8>(), any::<u8>());
    let limit = prop_oneof![3 => 1..4_usize, 1 => Just(1000), 1 => Just(usize::MAX)];
    let apply = |sizes: std::ops::Range<usize>| {
        (0..mix.handles, any::<u8>(), prop::collection::vec(edits(), sizes))
            .prop_map(|(on, namespace, edits)| Sketch::Apply { on, namespace, edits })
    };
    let reopen = if mix.reopen { 1 } else { 0 };
    prop_oneof![
        10 => apply(1..2),
        3 => apply(2..5),
        2 => (on.clone(), at).prop_map(|(on, at)| Sketch::Get { on, at }),
        1 => (on.clone(), at).prop_map(|(on, at)| Sketch::Stat { on, at }),
        2 => (on.clone(), at, any::<u8>(), any::<bool>(), any::<u8>(), at, limit.clone()).prop_map(
            |(on, at, whole, depth, after, cursor, limit)| Sketch::List {
                on, at, whole, depth, after, cursor, limit
            }
        ),
        2 => (on.clone(), at, any::<u8>(), any::<bool>(), limit)
            .prop_map(|(on, at, whole, depth, limit)| Sketch::Walk { on, at, whole, depth, limit }),
        1 => on.prop_map(|on| Sketch::Namespaces { on }),
        reopen => Just(Sketch::Reopen),
    ]
}

impl Sketch {
    fn resolve(self, pool: &Pool, index: u32, mix: Mix) -> Op {
        match self {
            Self::Apply { on, namespace, edits } => {
                let mut steps: Vec<Vec<Edit>> = vec![Vec::new()];
                for (nth, sketch) in edits.into_iter().enumerate() {
                    let edit = sketch.resolve(pool, namespace, index * 8 + nth as u32, mix);
                    let step = steps.last_mut().expect("there is a first step");
                    // One step changes a key at most once.
                    let taken = step.iter().any(|other| other.key == edit.key);
                    if (sketch.new_step || taken) && !step.is_empty() {
                        steps.push(vec![edit]);
                    } else {
                        step.push(edit);
                    }
                }
                Op::Apply { on, namespace: pool.namespace(namespace).clone(), steps }
            }
            Self::Get { on, at } => Op::Get { on, key: pool.key(at.0, at.1) },
            Self::Stat { on, at } => Op::Stat { on, key: pool.key(at.0, at.1) },
            Self::List { on, at, whole, depth, after, cursor, limit } => {
                let (prefix, depth) = place(pool, at, whole, depth);
                let cursor = pool.key(cursor.0, cursor.1);
                let after = match after % 4 {
                    0 => None,
                    1 => prefix
                        .child_towards(&cursor)
                        .filter(|_| prefix.contains(&cursor))
                        .map(Cursor::Folder),
                    _ => Some(Cursor::Key(cursor)),
                };
                Op::List { on, prefix, depth, after, limit: at_least_one(limit) }
            }
            Self::Walk { on, at, whole, depth, limit } => {
                let (prefix, depth) = place(pool, at, whole, depth);
                Op::Walk { on, prefix, depth, limit: at_least_one(limit) }
            }
            Self::Namespaces { on } => Op::Namespaces { on },
            Self::Reopen => Op::Reopen,
        }
    }
}

impl EditSketch {
    fn resolve(&self, pool: &Pool, namespace: u8, mark: u32, mix: Mix) -> Edit {
        let key = pool.key(namespace, self.path);
        let guard = match self.guard {
            0 => Guard::Any,
            1 => Guard::Absent,
            2 | 3 => Guard::Current,
            4 => Guard::Stale,
            5 => Guard::Of(pool.key(self.other, self.other.rotate_left(3))),
            _ => Guard::Garbage,
        };
        let most = u32::try_from(mix.value_bytes).unwrap_or(u32::MAX);
        let value = self.value.map(|(kind, len)| Value { kind, len: len.min(most), mark });
        Edit { key, value, guard }
    }
}

/// A folder near a key: the whole namespace, the key's folder, or the key taken for a folder.
fn place(pool: &Pool, at: (u8, u8), whole: u8, deep: bool) -> (Prefix, Depth) {
    let key = pool.key(at.0, at.1);
    let namespace = key.namespace();
    let folder = match whole % 4 {
        0 | 1 => None,
        2 => key.path().rsplit_once('/').map(|(folder, _)| folder),
        _ => Some(key.path()),
    };
    let folder = folder.and_then(|folder| RelPath::parse(folder).ok());
    let prefix = folder.map_or_else(|| namespace.everything(), |folder| namespace.under(folder));
    (prefix, if deep { Depth::All } else { Depth::Children })
}

fn at_least_one(limit: usize) -> NonZeroUsize {
    NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN)
}

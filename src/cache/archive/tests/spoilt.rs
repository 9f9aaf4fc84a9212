//! Archives that were damaged at random.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::strategy::Strategy as Generator;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// One way to spoil an archive.
#[derive(Debug, Clone)]
enum Harm {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Copy(prop::sample::Index, prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

impl Harm {
    fn any() -> impl Generator<Value = Self> {
        let place = any::<prop::sample::Index>;
        prop_oneof![
            4 => (place(), 0..8_u8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            1 => place().prop_map(Self::Truncate),
            2 => (place(), place(), 1..60_usize).prop_map(|(from, to, n)| Self::Copy(from, to, n)),
            1 => (place(), prop::collection::vec(any::<u8>(), 1..9))
                .prop_map(|(at, bytes)| Self::Insert(at, bytes)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Self::Copy(from, to, count) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let end = bytes.len().min(from + count);
                let piece = bytes[from..end].to_vec();
                bytes.splice(to..to, piece);
            }
            Self::Insert(at, piece) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
}

/// Whatever is done to an archive: nothing panics, and what is made of it is a sound archive.
#[test]
fn spoilt_archives_are_refused_or_made_sound() {
    let samples = [
        archive(&[("a", &b"A".repeat(300)), ("dir/b", b"B"), ("é", b"C")]),
        bare(),
        EMPTY.to_vec(),
    ];
    let operations = vec![
        with_content(Action::Replace, "a", "new"),
        Operation { new_path: Some("z".to_owned()), ..operation(Action::Rename, "b") },
        Operation { pattern: Pattern::clean("d*").unwrap(), ..operation(Action::Remove, "") },
    ];
    let request = BatchRequest { atomic: false, operations };
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let cases = (0..samples.len(), prop::collection::vec(Harm::any(), 1..4));
    let outcome = TestRunner::new(config).run(&cases, |(sample, harms)| {
        let mut bytes = samples[sample].clone();
        harms.iter().for_each(|harm| harm.apply(&mut bytes));
        let _ = read(&bytes, "a");
        let made = [
            added(&bytes, "a", b"more").ok(),
            Change::Remove { name: "a" }.plan(&bytes, &LIMITS, NOW_MS).ok(),
            batched(&bytes, &request).ok().and_then(|(_, finished)| finished),
        ];
        for finished in made.into_iter().flatten() {
            prop_assert_eq!(hash(&finished.bytes), Ok(finished.hash));
            let again = Directory::read(&finished.bytes, 100).unwrap();
            prop_assert!(again.refuse_overlaps().is_ok());
        }
        Ok(())
    });
    outcome.unwrap();
}

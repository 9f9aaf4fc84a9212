//! `kill -9` at a random moment, checkpoints included: what was acknowledged is there, a batch is there
//! as a whole or not at all, and the archive is sound for other readers all the time.

use std::path::Path;
use std::time::Duration;

use larder::storage::Durability;
use larder::storage::zip::Zip;

use crate::help::{Dice, archive, child_home, files, keys, members, open, put, text};
use crate::killed::{Crash, seed, survive, write_until_killed};

#[test]
fn acknowledged_batches_survive_kill_9() {
    let mut round = 0;
    survive("crash::writing_child", |path, crash| {
        let store = check(path, crash);
        // Left by a crash as well, now and then, so that the next one meets a journal.
        if round % 2 == 0 {
            store.checkpoint().unwrap();
        }
        round += 1;
    });
}

/// What must be so after a crash.
fn check(path: &Path, crash: &mut Crash) -> Zip {
    if archive(path).metadata().is_ok_and(|found| found.len() > 0) {
        members(&archive(path));
    }
    let context = format!("{}, {:?}", crash.context, files(path));
    let store = open(path);
    for slot in Crash::slots() {
        let turn = crash.turn_of(&store, &slot);
        let content = keys(&store, "team")
            .into_iter()
            .filter(|name| name.starts_with(&format!("team/data/{slot}/")))
            .collect::<Vec<_>>();
        match turn {
            Some(turn) => {
                assert_eq!(content, beside(&slot, &turn), "{context}: all of a batch");
                for name in content {
                    let found = text(&store, &name).unwrap();
                    assert_eq!(found, Some(noise(&turn)), "{context}: {name}");
                }
            }
            None => assert!(content.is_empty(), "{context}: a part of a batch"),
        }
    }
    put(&store, "team/after", &context).unwrap();
    store
}

/// The contents of all turns of a slot side by side.
fn beside(slot: &str, turn: &str) -> [String; 3] {
    let folder = format!("team/data/{slot}/{turn}");
    [folder.clone(), format!("{folder}/a"), format!("{folder}/b")]
}

fn noise(turn: &str) -> String {
    let mut dice = Dice(turn.parse::<u64>().unwrap() + 1);
    dice.noise(3000)
}

#[test]
#[ignore = "a part of acknowledged_batches_survive_kill_9"]
fn writing_child() {
    let Some(home) = child_home() else { return };
    let durability = if seed().is_multiple_of(2) { Durability::Full } else { Durability::Relaxed };
    let store = Zip::open(archive(&home), durability).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                std::thread::sleep(Duration::from_millis(3));
                store.checkpoint().unwrap();
            }
        });
        write_until_killed(&store, beside, noise);
    });
}

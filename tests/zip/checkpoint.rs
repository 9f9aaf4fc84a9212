//! Checkpoints: space comes back, writes go on meanwhile, and a write never waits for the archive.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use larder::storage::Durability;
use larder::storage::blocking::BlockingStorage;
use larder::storage::zip::Zip;

use crate::help::{
    Dice, Home, archive, batch_of, child_home, child_of, copy, delete, files, key, keys, members,
    open, put, say, sound_members, text,
};

#[test]
fn space_of_what_is_overwritten_or_deleted_comes_back() {
    let home = Home::new();
    let mut dice = Dice(7);
    for n in 0..20 {
        home.put(&format!("team/{n}"), &dice.noise(50_000));
    }
    home.store.checkpoint().unwrap();
    let full = fs::metadata(home.archive()).unwrap().len();
    for n in 0..20 {
        match n % 4 {
            0 => home.put(&format!("team/{n}"), "short"),
            1 => home.put(&format!("team/{n}"), &dice.noise(50_000)),
            2 => {}
            _ => delete(&home.store, &format!("team/{n}")).unwrap(),
        }
    }
    home.store.checkpoint().unwrap();
    let half = fs::metadata(home.archive()).unwrap().len();
    assert!(half < full * 52 / 100 && half > full * 48 / 100, "{full} became {half}");
    assert_eq!(files(home.dir.path()), ["cache.zip"]);
    for n in (0..20).filter(|n| n % 4 != 3) {
        delete(&home.store, &format!("team/{n}")).unwrap();
    }
    let dir = home.close();
    assert_eq!(fs::metadata(archive(dir.path())).unwrap().len(), 22, "an archive without members");
}

/// However often one key is written, the journal is emptied before it is many times the archive.
#[test]
fn the_journal_does_not_grow_without_end() {
    let home = Home::new();
    let mut dice = Dice(9);
    let mut most = 0;
    for _ in 0..24 {
        home.put("team/same", &dice.noise(1 << 20));
        let sizes = files(home.dir.path()).into_iter().filter_map(|name| {
            // It may be gone by now.
            fs::metadata(home.dir.path().join(name)).ok()
        });
        most = most.max(sizes.map(|found| found.len()).sum::<u64>());
    }
    // How fast the checkpoints are is up to the machine.
    let dir = home.close();
    assert!(fs::metadata(archive(dir.path())).unwrap().len() < 2 << 20);
    assert!(most > 1 << 20, "{most}");
}

#[test]
fn checkpoints_do_not_disturb_readers_and_writers() {
    let home = Home::new();
    let store = home.store;
    let stop = AtomicBool::new(false);
    let turns = AtomicUsize::new(0);
    let mut checkpoints = 0;
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (store, stop, turns) = (&store, &stop, &turns);
            scope.spawn(move || {
                let mut turn = 0;
                while !stop.load(Ordering::Relaxed) {
                    for n in 0..5 {
                        let name = format!("team/{writer}/{n}");
                        let value = format!("{turn} ").repeat(n * 200 + 1);
                        put(store, &name, &value).unwrap();
                        assert_eq!(text(store, &name).unwrap(), Some(value));
                    }
                    delete(store, &format!("team/{writer}/{}", turn % 5)).unwrap();
                    turn += 1;
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Both get somewhere, whichever of them is slow to begin.
        while checkpoints < 40 || turns.load(Ordering::Relaxed) < 30 {
            store.checkpoint().unwrap();
            checkpoints += 1;
            members(&archive(home.dir.path()));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let expected: Vec<_> =
        keys(&store, "team").into_iter().map(|name| (text(&store, &name).unwrap(), name)).collect();
    drop(store);
    let again = open(home.dir.path());
    for (value, name) in expected {
        assert_eq!(text(&again, &name).unwrap(), value, "{name}");
    }
}

/// What a crash leaves between any two steps of a checkpoint opens as if nothing had happened.
#[test]
fn a_checkpoint_can_stop_anywhere() {
    let home = Home::new();
    home.put("team/old", "in the archive");
    home.put("team/gone", "deleted later");
    home.store.checkpoint().unwrap();
    home.put("team/new", "in the journal");
    delete(&home.store, "team/gone").unwrap();
    let before = copy(home.dir.path());
    home.store.checkpoint().unwrap();
    home.put("team/new", "after the checkpoint");
    let after = copy(home.dir.path());
    let check = |dir: &std::path::Path, new: &str| {
        let store = open(dir);
        assert_eq!(keys(&store, "team"), ["team/new", "team/old"]);
        assert_eq!(text(&store, "team/new").unwrap().as_deref(), Some(new));
        put(&store, "team/more", "goes on").unwrap();
        drop(store);
        assert_eq!(files(dir), ["cache.zip"]);
        assert_eq!(sound_members(&archive(dir)), 3);
    };
    // The next archive is half written.
    let torn = copy(before.path());
    let whole = fs::read(archive(after.path())).unwrap();
    fs::write(torn.path().join("cache.zip.larder-new"), &whole[..whole.len() / 2]).unwrap();
    check(torn.path(), "in the journal");
    check(before.path(), "in the journal");
    check(after.path(), "after the checkpoint");
}

/// The promise behind `Durability::Full`, seen from the system's side.
#[test]
fn full_durability_waits_for_the_disk() {
    let syncs = |durability: &str| {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("calls");
        let mut strace = std::process::Command::new("strace");
        strace.args(["-f", "-e", "trace=fsync,fdatasync", "-o"]).arg(&log);
        let output = child_of(strace, "checkpoint::syncing_child", dir.path())
            .env("LARDER_TEST_DURABILITY", durability)
            .output();
        let Ok(output) = output else { return None };
        assert!(String::from_utf8_lossy(&output.stdout).contains("stored 10"), "{output:?}");
        Some(fs::read_to_string(log).unwrap().lines().filter(|line| line.contains("sync(")).count())
    };
    let (Some(full), Some(relaxed)) = (syncs("full"), syncs("relaxed")) else {
        crate::help::announce("that full durability syncs every batch: strace is not installed");
        return;
    };
    assert!(full >= 10, "{full} syncs for 10 batches");
    assert!(relaxed < 10, "{relaxed} syncs for 10 batches that wait for none");
}

#[test]
#[ignore = "a part of full_durability_waits_for_the_disk"]
fn syncing_child() {
    let Some(home) = child_home() else { return };
    let durability = match std::env::var("LARDER_TEST_DURABILITY").unwrap().as_str() {
        "full" => Durability::Full,
        _ => Durability::Relaxed,
    };
    let store = Zip::open(archive(&home), durability).unwrap();
    for n in 0..10 {
        put(&store, &format!("team/{n}"), "value").unwrap();
    }
    say("stored 10");
}

/// Many at once share what a sync costs, and every batch of theirs is there.
#[test]
fn batches_that_arrive_together_are_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Zip::open(archive(dir.path()), Durability::Full).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..10 {
                    let mut batch = batch_of("team/x");
                    batch.put(key(&format!("team/{writer}/{n}")), "value");
                    batch.then();
                    batch.put(key(&format!("team/last/{writer}")), format!("{n}"));
                    store.apply(batch).unwrap();
                }
            });
        }
    });
    let crashed = copy(dir.path());
    for store in [store, open(crashed.path())] {
        assert_eq!(keys(&store, "team").len(), 88);
        for writer in 0..8 {
            let last = text(&store, &format!("team/last/{writer}")).unwrap();
            assert_eq!(last.as_deref(), Some("9"));
        }
    }
}

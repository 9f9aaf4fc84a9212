//! Calls that overlap.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::content::Content;
use super::spaces::{STRATEGIES, Space, Stored};
use super::{Api, check};
use crate::check::{Check, Group, Outcome};
use crate::ensure;
use crate::report::Failure;

pub(super) const CHECKS: &[Check] = &[
    check(
        Group::ApiConcurrency,
        "H-41",
        "Stores of one content at the same time lose no version",
        "store; refs-hash.total_versions",
        one_content,
    ),
    check(
        Group::ApiConcurrency,
        "H-42",
        "Stores of different contents at the same time are all there",
        "store",
        many_contents,
    ),
    check(
        Group::ApiConcurrency,
        "H-43",
        "Stores and deletes of one content at the same time leave exactly what was not deleted",
        "store; delete",
        store_and_delete,
    ),
    check(
        Group::ApiConcurrency,
        "H-44",
        "A reader beside updates sees a whole value, old or new, and never goes back",
        "update; retrieve",
        whole_values,
    ),
    check(
        Group::ApiConcurrency,
        "H-45",
        "Listings beside stores and deletes succeed and have everything that was there throughout",
        "file-ids; file-hashes; namespaces/list",
        listings,
    ),
    check(
        Group::ApiConcurrency,
        "H-46",
        "Writers of namespaces with nearly one name do not meet",
        "store; delete",
        neighbours,
    ),
];

/// How many call at once.
const CALLERS: usize = 8;

/// Does the same on many threads, each with its number; the first failure counts.
fn together(callers: usize, work: impl Fn(usize) -> Outcome + Sync) -> Outcome {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..callers).map(|nth| scope.spawn(move || work(nth))).collect();
        let mut outcome = Ok(());
        for thread in threads {
            let ended = thread.join().unwrap_or_else(|panic| {
                Err(Failure::new(crate::execute::panic_message(&*panic).to_owned()))
            });
            outcome = outcome.and(ended);
        }
        outcome
    })
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}

fn taken<T>(list: Mutex<Vec<T>>) -> Vec<T> {
    list.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Fails unless these are the versions of a hash, in whatever order the overlap gave.
fn has_versions(space: &Space<'_>, hash: &str, expected: &[Stored]) -> Outcome {
    let mut expected: Vec<_> = expected.iter().map(|stored| stored.id.clone()).collect();
    if expected.is_empty() {
        return space.lacks_hash(hash);
    }
    let mut found = space.versions(hash)?;
    expected.sort();
    found.sort();
    let lost = expected.iter().filter(|id| !found.contains(id)).count();
    ensure!(
        found == expected,
        "of {} versions {} are filed under the hash; {lost} are lost",
        expected.len(),
        found.len()
    );
    space.holds_ids(&expected)
}

fn one_content(api: &Api) -> Outcome {
    for round in 0..api.rounds(3) {
        let space = api.fresh();
        let content = Content::text(&format!("the same {round}"));
        let all = Mutex::new(Vec::new());
        together(CALLERS, |nth| {
            for _ in 0..4 {
                let strategy = STRATEGIES[nth % 5];
                push(&all, space.store_at(strategy, "/key", &content)?);
            }
            Ok(())
        })?;
        let all = taken(all);
        has_versions(&space, &content.hash()?, &all)?;
        for stored in &all {
            space.reads(&stored.id, &content)?;
        }
    }
    Ok(())
}

fn many_contents(api: &Api) -> Outcome {
    let space = api.fresh();
    let all = Mutex::new(Vec::new());
    together(CALLERS, |nth| {
        for round in 0..6 {
            let content = Content::text(&format!("{nth}-{round}"));
            let stored = space.store_at("key_based", &format!("/key-{round}"), &content)?;
            space.reads(&stored.id, &content)?;
            push(&all, (stored, content));
        }
        Ok(())
    })?;
    let all = taken(all);
    for (stored, content) in &all {
        space.reads(&stored.id, content)?;
        space.reads_hash(&stored.hash, content)?;
    }
    space.holds_ids(all.iter().map(|(stored, _)| &stored.id))
}

fn store_and_delete(api: &Api) -> Outcome {
    for round in 0..api.rounds(3) {
        let space = api.fresh();
        let content = Content::text(&format!("the same {round}"));
        let left = Mutex::new(Vec::new());
        together(CALLERS, |nth| {
            for turn in 0..3 {
                let stored = space.store(&content)?;
                if (nth + turn) % 2 == 0 {
                    space.delete(&stored.id)?.has("status", "success")?;
                } else {
                    push(&left, stored);
                }
            }
            Ok(())
        })?;
        has_versions(&space, &content.hash()?, &taken(left))?;
    }
    Ok(())
}

fn whole_values(api: &Api) -> Outcome {
    let space = api.fresh();
    // Lengths differ, so that a mixture is seen.
    let value = |nth: usize| Content::Text {
        text: format!("{nth}:{}", "v".repeat(nth * 997 % 20_000)),
        json: format!("\"{nth}:{}\"", "v".repeat(nth * 997 % 20_000)),
    };
    let stored = space.store(&value(0))?;
    let done = AtomicBool::new(false);
    together(4, |caller| {
        if caller == 0 {
            let written = (1..=30).try_for_each(|nth| {
                space.update(&stored.id, &value(nth))?.is(200)?;
                Ok(())
            });
            done.store(true, Ordering::Relaxed);
            return written;
        }
        let mut newest = 0;
        while !done.load(Ordering::Relaxed) {
            let reply = space.get(&format!("retrieve/{}/string", stored.id))?.is(200)?;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            let nth = text.split(':').next().and_then(|nth| nth.parse().ok());
            let whole = nth.is_some_and(|nth| value(nth).as_read() == reply.body);
            ensure!(whole, "{reply}: not a value that was written");
            let nth = nth.unwrap_or_default();
            ensure!(nth >= newest, "after value {newest} a reader saw value {nth} again");
            newest = nth;
        }
        Ok(())
    })?;
    space.reads(&stored.id, &value(30))
}

fn listings(api: &Api) -> Outcome {
    let space = api.fresh();
    let mut steady = Vec::new();
    for nth in 0..10 {
        steady.push(space.store_text(&format!("steady {nth}"))?);
    }
    let done = AtomicBool::new(false);
    together(5, |caller| {
        if caller < 2 {
            let worked = (0..30).try_for_each(|nth| {
                let stored = space.store_text(&format!("{caller}-{nth}"))?;
                space.delete(&stored.id)?;
                Ok(())
            });
            done.store(true, Ordering::Relaxed);
            return worked;
        }
        while !done.load(Ordering::Relaxed) {
            let (ids, hashes) = (space.ids()?, space.hashes()?);
            for stored in &steady {
                ensure!(ids.contains(&stored.id), "{} was not listed", stored.id);
                ensure!(hashes.contains(&stored.hash), "{} was not listed", stored.hash);
            }
            let names = api.client.get("/namespaces/list")?.is(200)?.texts()?;
            ensure!(names.contains(&space.clean), "{} was not listed", space.clean);
        }
        Ok(())
    })?;
    space.holds_ids(steady.iter().map(|stored| &stored.id))
}

fn neighbours(api: &Api) -> Outcome {
    let first = api.fresh();
    let spaces: Vec<_> = ["1", "10", "A", "a", "_a", "-a"].map(|name| first.beside(name)).into();
    let content = Content::text("the same everywhere");
    together(spaces.len(), |nth| {
        let space = &spaces[nth];
        let mut kept = Vec::new();
        for turn in 0..5 {
            let stored = space.store_at(STRATEGIES[turn % 5], "/key", &content)?;
            space.reads(&stored.id, &content)?;
            if turn % 2 == 0 {
                space.delete(&stored.id)?.has("status", "success")?;
            } else {
                kept.push(stored);
            }
            has_versions(space, &content.hash()?, &kept)?;
        }
        Ok(())
    })
}

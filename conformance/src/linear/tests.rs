//! The checker against every order there is, and what it says of what it finds.

use super::{Answer, Call, Event, Guard, Verdict, check, draw, step};
use crate::bench::Random;

/// Tries every order of every choice of the calls of unknown outcome.
fn brute(state: Option<u32>, left: &[Event]) -> bool {
    if left.iter().all(|event| event.answer == Answer::Unknown) {
        return true;
    }
    (0..left.len()).any(|nth| {
        let event = left[nth];
        let before = |other: &Event| other.answer != Answer::Unknown && other.end < event.start;
        if left.iter().any(before) {
            return false;
        }
        let (after, answer) = step(state, event.call);
        let rest = [&left[..nth], &left[nth + 1..]].concat();
        (event.answer == Answer::Unknown || event.answer == answer) && brute(after, &rest)
    })
}

/// A history of up to five calls, mostly plausible.
fn history(random: &mut Random) -> Vec<Event> {
    let mut clock: Vec<u64> = (0..10).collect();
    for at in (1..clock.len()).rev() {
        clock.swap(at, random.below(at + 1));
    }
    let guard = |random: &mut Random| match random.below(4) {
        0 => Guard::Absent,
        1 => Guard::Is(random.below(3) as u32),
        _ => Guard::Any,
    };
    (0..1 + random.below(5))
        .map(|nth| {
            let call = match random.below(3) {
                0 => Call::Read,
                1 => Call::Put(nth as u32, guard(random)),
                _ => Call::Delete(guard(random)),
            };
            let answer = match (call, random.below(6)) {
                (_, 0) => Answer::Unknown,
                (Call::Read, n) if n < 3 => Answer::Value(None),
                (Call::Read, _) => Answer::Value(Some(random.below(5) as u32)),
                (_, 1) => Answer::Conflict,
                _ => Answer::Done,
            };
            let (one, two) = (clock[2 * nth], clock[2 * nth + 1]);
            Event { thread: nth as u32, call, answer, start: one.min(two), end: one.max(two) }
        })
        .collect()
}

#[test]
fn the_search_agrees_with_trying_every_order() {
    let mut random = Random(1);
    let mut verdicts = [0_u32; 2];
    for _ in 0..60_000 {
        let history = history(&mut random);
        let relevant: Vec<_> = history
            .iter()
            .filter(|event| event.call != Call::Read || event.answer != Answer::Unknown)
            .copied()
            .collect();
        let expected = brute(None, &relevant);
        let found = check(None, &history);
        assert_eq!(found == Verdict::Linearizable, expected, "{history:?}");
        if let Verdict::Violation(small) = found {
            let relevant: Vec<_> = small
                .into_iter()
                .filter(|event| event.call != Call::Read || event.answer != Answer::Unknown)
                .collect();
            assert!(
                !brute(None, &relevant),
                "shrunk to what has an order: {relevant:?} of {history:?}"
            );
        }
        verdicts[usize::from(expected)] += 1;
    }
    assert!(verdicts.iter().all(|count| *count > 5_000), "poor histories: {verdicts:?}");
}

#[test]
fn one_thread_is_answered_by_the_state() {
    let none = Answer::Value(None);
    for (state, call, expected) in [
        (None, Call::Read, (None, none)),
        (Some(3), Call::Read, (Some(3), Answer::Value(Some(3)))),
        (None, Call::Put(1, Guard::Any), (Some(1), Answer::Done)),
        (Some(3), Call::Put(1, Guard::Any), (Some(1), Answer::Done)),
        (None, Call::Put(1, Guard::Absent), (Some(1), Answer::Done)),
        (Some(3), Call::Put(1, Guard::Absent), (Some(3), Answer::Conflict)),
        (Some(3), Call::Put(1, Guard::Is(3)), (Some(1), Answer::Done)),
        (Some(3), Call::Put(1, Guard::Is(4)), (Some(3), Answer::Conflict)),
        (None, Call::Put(1, Guard::Is(4)), (None, Answer::Conflict)),
        (Some(3), Call::Delete(Guard::Any), (None, Answer::Done)),
        (Some(3), Call::Delete(Guard::Is(3)), (None, Answer::Done)),
        (Some(3), Call::Delete(Guard::Is(4)), (Some(3), Answer::Conflict)),
        (Some(3), Call::Delete(Guard::Absent), (Some(3), Answer::Conflict)),
        (None, Call::Delete(Guard::Absent), (None, Answer::Done)),
    ] {
        assert_eq!(step(state, call), expected, "{call:?} on {state:?}");
    }
}

fn event(thread: u32, call: Call, answer: Answer, start: u64, end: u64) -> Event {
    Event { thread, call, answer, start, end }
}

#[test]
fn a_history_of_hundreds_of_calls_is_judged() {
    // More than 64, so that sets of calls take several words.
    let put = |nth: u64| {
        let call = Call::Put(nth as u32, Guard::Any);
        event(0, call, Answer::Done, 10 * nth, 10 * nth + 5)
    };
    let mut history: Vec<_> = (0..200).map(put).collect();
    history.push(event(1, Call::Read, Answer::Value(Some(199)), 1994, 2010));
    assert_eq!(check(None, &history), Verdict::Linearizable);
    history.push(event(1, Call::Read, Answer::Value(Some(70)), 2011, 2012));
    let Verdict::Violation(small) = check(None, &history) else {
        panic!("a read of what was overwritten")
    };
    // Every write may be the one that excuses it, so only the other read goes.
    assert_eq!(small.len(), 201);
    assert!(!small.contains(&history[200]));
}

#[test]
fn what_came_after_a_violation_is_left_out() {
    let history = [
        event(0, Call::Put(1, Guard::Any), Answer::Done, 0, 1),
        event(1, Call::Read, Answer::Value(Some(1)), 2, 3),
        event(1, Call::Put(9, Guard::Absent), Answer::Conflict, 4, 5),
        event(0, Call::Read, Answer::Value(None), 6, 8),
        event(1, Call::Put(2, Guard::Any), Answer::Done, 7, 11),
        event(0, Call::Read, Answer::Value(Some(2)), 12, 13),
    ];
    let Verdict::Violation(small) = check(None, &history) else { panic!("a lost value") };
    // A write that was not over may have had an effect, so it stays, without its answer.
    let unfinished = Event { answer: Answer::Unknown, ..history[4] };
    assert_eq!(small, [history[0], history[3], unfinished]);
}

#[test]
fn what_was_under_way_at_a_violation_may_have_had_an_effect() {
    let history = [
        event(0, Call::Put(1, Guard::Any), Answer::Done, 0, 1),
        event(1, Call::Read, Answer::Value(None), 2, 3),
        event(2, Call::Put(2, Guard::Any), Answer::Done, 2, 9),
        event(3, Call::Put(3, Guard::Any), Answer::Done, 5, 6),
    ];
    let Verdict::Violation(small) = check(None, &history) else { panic!("a lost value") };
    // Nothing was to be read after the first put, whatever became of the second.
    let second = Event { answer: Answer::Unknown, ..history[2] };
    assert_eq!(small, [history[0], history[1], second]);
}

#[test]
fn too_many_unknown_writes_are_given_up() {
    // Any of them may have happened in any order before the read of what nobody wrote.
    let unknown = |nth: u32| {
        let end = 1000 + u64::from(nth);
        event(nth, Call::Put(nth, Guard::Any), Answer::Unknown, u64::from(nth), end)
    };
    let mut history: Vec<_> = (0..15).map(unknown).collect();
    history.push(event(99, Call::Read, Answer::Value(Some(77)), 500, 501));
    assert_eq!(check(None, &history), Verdict::TooLong);
}

#[test]
fn histories_are_drawn_as_intervals() {
    let history = [
        event(0, Call::Put(1, Guard::Absent), Answer::Done, 0, 20),
        event(1, Call::Read, Answer::Value(None), 10, 30),
        event(2, Call::Put(2, Guard::Is(1)), Answer::Conflict, 30, 40),
        event(0, Call::Delete(Guard::Any), Answer::Unknown, 35, 36),
        event(1, Call::Read, Answer::Value(Some(1)), 50, 60),
    ];
    let drawn = [
        "thread 0 |-|          put #1 if absent -> done",
        "thread 1  |-|         read -> nothing",
        "thread 2    |--|      put #2 if it holds #1 -> conflict",
        "thread 0     |-->     delete -> ?",
        "thread 1        ||    read -> #1",
    ];
    assert_eq!(draw(&history).lines().collect::<Vec<_>>(), drawn);
}

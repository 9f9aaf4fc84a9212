//! The checker of histories against stateright's, on random histories.

use larder_conformance::linear::{Answer, Call, Event, Guard, Verdict, check, step};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cell(Option<u32>);

impl SequentialSpec for Cell {
    type Op = Call;
    type Ret = Answer;

    fn invoke(&mut self, call: &Call) -> Answer {
        let (state, answer) = step(self.0, *call);
        self.0 = state;
        answer
    }
}

/// A small generator (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// A history of four threads with two calls each, answered by a cell that is sometimes wrong.
fn history(random: &mut Random) -> Vec<Event> {
    let mut state = None;
    let mut events: Vec<Event> = Vec::new();
    let mut free = [0_u64; 4];
    for nth in 0..7 {
        let thread = random.below(4) as usize;
        let guard = match random.below(4) {
            0 => Guard::Absent,
            1 => Guard::Is(random.below(4) as u32),
            _ => Guard::Any,
        };
        let call = match random.below(5) {
            0 | 1 => Call::Read,
            2 | 3 => Call::Put(nth, guard),
            _ => Call::Delete(guard),
        };
        let (after, answer) = step(state, call);
        // Some answers are about a state a while ago.
        if random.below(4) > 0 {
            state = after;
        }
        let answer = if random.below(9) == 0 { Answer::Unknown } else { answer };
        let start = free[thread].max(u64::from(nth) * 10 + random.below(10));
        let end = start + 1 + random.below(40);
        // A call without an answer is its thread's last.
        free[thread] = if answer == Answer::Unknown { u64::MAX / 2 } else { end + 1 };
        if start < u64::MAX / 4 {
            events.push(Event { thread: thread as u32, call, answer, start, end });
        }
    }
    events
}

fn second_opinion(history: &[Event]) -> bool {
    // Starts go before ends of the same moment: calls that touch overlap.
    let mut moments: Vec<(u64, bool, &Event)> = Vec::new();
    for event in history {
        moments.push((event.start, false, event));
        if event.answer != Answer::Unknown {
            moments.push((event.end, true, event));
        }
    }
    moments.sort_by_key(|(moment, end, _)| (*moment, *end));
    let mut tester = LinearizabilityTester::new(Cell(None));
    for (_, end, event) in moments {
        let noted = if end {
            tester.on_return(event.thread, event.answer).map(drop)
        } else {
            tester.on_invoke(event.thread, event.call).map(drop)
        };
        noted.expect("a history of threads");
    }
    tester.is_consistent()
}

#[test]
fn both_checkers_agree() {
    let mut random = Random(7);
    let mut verdicts = [0_u32; 2];
    for _ in 0..3_000 {
        let history = history(&mut random);
        let ours = check(None, &history) == Verdict::Linearizable;
        assert_eq!(ours, second_opinion(&history), "{history:#?}");
        verdicts[usize::from(ours)] += 1;
    }
    assert!(verdicts.iter().all(|count| *count > 200), "poor histories: {verdicts:?}");
}

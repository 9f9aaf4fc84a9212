//! Group commit: whoever comes first writes for all who wait, in one transaction.
//!
//! There is no thread for writing, and so no hand-over when nobody else writes. A batch joins the
//! queue; if nobody leads, its thread takes what is in the queue, carries it out, gives everyone their
//! answer and steps down. Batches that arrive meanwhile wait, and are the next group.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::fail::BACKEND;
use crate::storage::{Batch, Error, Result};

/// The most batches in a transaction.
const BATCHES: usize = 128;
/// From this many bytes of values on, no more batches join a transaction.
const BYTES: u64 = 8 << 20;

/// The queue before the one who writes.
#[derive(Debug, Default)]
pub(super) struct Group {
    queue: Mutex<Queue>,
    turn: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Ticket, Batch)>,
    answers: HashMap<Ticket, Result<()>>,
    is_led: bool,
    last: Ticket,
}

type Ticket = u64;

impl Group {
    /// Has a batch carried out, by this thread or another. `carry_out` gets a group in the order of
    /// arrival and gives an answer for each.
    pub(super) fn apply(
        &self,
        batch: Batch,
        mut carry_out: impl FnMut(&[Batch]) -> Vec<Result<()>>,
    ) -> Result<()> {
        let mut queue = self.queue();
        queue.last += 1;
        let ticket = queue.last;
        queue.waiting.push_back((ticket, batch));
        loop {
            if let Some(answer) = queue.answers.remove(&ticket) {
                return answer;
            }
            if queue.is_led {
                queue = self.turn.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.is_led = true;
            let (tickets, batches) = queue.next_group();
            drop(queue);
            let mut lead = Lead { group: self, ticket, tickets, answers: Vec::new() };
            lead.answers = carry_out(&batches);
            drop(lead);
            queue = self.queue();
        }
    }

    /// How many batches wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.queue().waiting.len()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A panic cannot leave it half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn next_group(&mut self) -> (Vec<Ticket>, Vec<Batch>) {
        let (mut count, mut bytes) = (0, 0);
        for (_, batch) in self.waiting.iter().take(BATCHES) {
            if count > 0 && bytes + batch.weight() > BYTES {
                break;
            }
            count += 1;
            bytes += batch.weight();
        }
        self.waiting.drain(..count).unzip()
    }
}

/// Gives the answers and steps down, also when the one who leads panics.
struct Lead<'a> {
    group: &'a Group,
    /// Whose thread it is.
    ticket: Ticket,
    tickets: Vec<Ticket>,
    answers: Vec<Result<()>>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut queue = self.group.queue();
        let mut answers = std::mem::take(&mut self.answers).into_iter();
        for ticket in std::mem::take(&mut self.tickets) {
            let answer = answers.next().unwrap_or_else(|| {
                let source = "the thread that wrote for several panicked".into();
                Err(Error::Other { backend: BACKEND, source })
            });
            // Who panics does not come back for an answer.
            if ticket != self.ticket || !std::thread::panicking() {
                queue.answers.insert(ticket, answer);
            }
        }
        queue.is_led = false;
        drop(queue);
        self.group.turn.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::key::{Namespace, RelPath};

    fn batch(path: &str, size: usize) -> Batch {
        let namespace = Namespace::clean("team").unwrap();
        let mut batch = Batch::new(&namespace);
        batch.put(namespace.key(RelPath::parse(path).unwrap()).unwrap(), vec![0; size]);
        batch
    }

    /// Lets `others` queue up behind a first batch, which answers `first`; says how long each group was.
    fn behind_one(
        others: &[usize],
        first: impl Fn() -> Result<()> + Sync,
    ) -> (Vec<usize>, Vec<thread::Result<Result<()>>>) {
        let group = Group::default();
        let groups = Mutex::new(Vec::new());
        let turn = AtomicUsize::new(0);
        let carry_out = |batches: &[Batch]| {
            groups.lock().unwrap().push(batches.len());
            if turn.fetch_add(1, Ordering::SeqCst) == 0 {
                while group.waiting() < others.len() {
                    thread::yield_now();
                }
                return vec![first()];
            }
            batches.iter().map(|_| Ok(())).collect()
        };
        let answers = thread::scope(|scope| {
            let leader = scope.spawn(|| group.apply(batch("first", 1), carry_out));
            while turn.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            let mut threads = vec![leader];
            for size in others {
                threads.push(scope.spawn(|| group.apply(batch("other", *size), carry_out)));
            }
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        assert!(group.queue().answers.is_empty());
        (groups.into_inner().unwrap(), answers)
    }

    #[test]
    fn those_who_wait_are_one_group() {
        let (groups, answers) = behind_one(&[1; 20], || Ok(()));
        assert_eq!(groups, [1, 20]);
        assert!(answers.into_iter().all(|answer| answer.unwrap().is_ok()));
    }

    #[test]
    fn a_group_is_bounded_in_number_and_bytes() {
        let (groups, _) = behind_one(&[1; BATCHES + 1], || Ok(()));
        assert_eq!(groups, [1, BATCHES, 1]);
        let (groups, _) = behind_one(&[5 << 20; 2], || Ok(()));
        assert_eq!(groups, [1, 1, 1]);
        let (groups, _) = behind_one(&[20 << 20], || Ok(()));
        assert_eq!(groups, [1, 1], "however large one batch is");
    }

    #[test]
    fn after_a_panic_the_others_go_on() {
        let (groups, mut answers) = behind_one(&[1; 5], || panic!("as planned"));
        assert_eq!(groups, [1, 5]);
        assert!(answers.remove(0).is_err());
        assert!(answers.into_iter().all(|answer| answer.unwrap().is_ok()));
    }
}

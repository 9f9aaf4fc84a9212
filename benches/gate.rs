//! The gate of CI: fails when the service on memory has become slower.
//!
//! Every operation is measured in turns with a piece of work of the same kind (hashing, a map, JSON) that
//! has nothing of Larder in it, on the processor's clock of the thread. What is compared with the accepted
//! figures is the ratio of the two: it stays when the machine is slow or busy, and moves when the code is
//! slow. Beside that stand floors in operations a millisecond, with a margin that noise does not cross.
//!
//! `--plant 30` makes every operation 30 % slower, to show that the gate fails then. The accepted
//! figures are `benches/accepted.json`, which only people change.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[expect(dead_code, reason = "every round has a service of its own, so that nothing is deleted")]
mod work;
use work::Service;

/// Rounds of an operation, each with its share of the other work before and after it. The best of each
/// counts: what disturbs a machine makes it slower and never faster.
const ROUNDS: usize = 60;
/// Calls of an operation in a round, and of the other work.
const CALLS: usize = 256;
/// How much above the accepted ratio one may be: between what noise does and the slowdown to be caught.
const TOLERANCE: f64 = 1.15;
/// Times that an operation which fails is measured again, with the best of all: a host may be slow for a
/// while, slow code is so for good.
const ATTEMPTS: usize = 10;
/// How long that is waited for each time.
const PAUSE: Duration = Duration::from_secs(2);
/// Entries there are before anything is measured: few, so that what is measured is code and not what the
/// neighbours leave of the processor's caches.
const ENTRIES: usize = 128;

struct Operation {
    name: &'static str,
    call: fn(&mut Service),
    /// Operations a millisecond of processor time that must be reached on any machine worth testing on.
    floor: f64,
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "store new content", call: Service::store_new, floor: 100.0 },
    Operation { name: "store known content", call: Service::store_known, floor: 100.0 },
    Operation { name: "retrieve by id", call: Service::retrieve_by_id, floor: 500.0 },
    Operation { name: "retrieve by hash", call: Service::retrieve_by_hash, floor: 500.0 },
    Operation { name: "retrieve with metadata", call: Service::retrieve_whole, floor: 400.0 },
    Operation { name: "exists", call: Service::exists, floor: 1_500.0 },
    Operation { name: "update", call: Service::update, floor: 120.0 },
    Operation { name: "store and delete", call: Service::store_and_delete, floor: 40.0 },
    Operation { name: "store child data", call: Service::child_data, floor: 100.0 },
    Operation { name: "read child data", call: Service::child_data_back, floor: 300.0 },
    Operation { name: "list child data", call: Service::list_page, floor: 200.0 },
];

/// Processor time of this thread, in microseconds.
fn clock() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

fn timed(calls: usize, mut call: impl FnMut()) -> f64 {
    let start = clock();
    (0..calls).for_each(|_| call());
    (clock() - start) / calls as f64
}

/// Work like the service's: a hash, a map, JSON read and written.
struct Calibration {
    map: HashMap<String, Vec<u8>>,
    body: Vec<u8>,
    turn: usize,
}

impl Calibration {
    fn new() -> Self {
        let key = |number: usize| format!("bench/data/direct/{number:02}/{number:050}.json");
        let map = (0..ENTRIES).map(|number| (key(number), work::body(number as u64))).collect();
        Self { map, body: work::body(7), turn: 0 }
    }

    fn call(&mut self) {
        self.turn = (self.turn + 389) % ENTRIES;
        let number = self.turn;
        let key = format!("bench/data/direct/{number:02}/{number:050}.json");
        let value: Value = serde_json::from_slice(&self.body).expect("JSON");
        let text = serde_json::to_vec(&value).expect("JSON");
        black_box(Sha256::digest(&text));
        black_box(self.map.insert(key, text));
    }
}

struct Measured {
    name: &'static str,
    floor: f64,
    /// Microseconds of processor time a call.
    micros: f64,
    /// The same in calls of the other work.
    ratio: f64,
}

fn measure(operation: &Operation, calibration: &mut Calibration, plant: f64) -> Measured {
    let call = operation.call;
    // More of them than are counted.
    let planted = (CALLS as f64 * (1.0 + plant / 100.0)) as usize;
    let (mut micros, mut work) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        // Anew, so that no round finds more entries than another.
        let mut service = Service::new(ENTRIES).with_children();
        (0..ENTRIES).for_each(|_| call(&mut service));
        work = work.min(timed(CALLS, || calibration.call()));
        micros = micros.min(timed(planted, || call(&mut service)) * planted as f64 / CALLS as f64);
        work = work.min(timed(CALLS, || calibration.call()));
    }
    let Operation { name, floor, .. } = *operation;
    Measured { name, floor, micros, ratio: micros / work }
}

impl Measured {
    /// What is wrong with it, if anything is.
    fn fault(&self, accepted: f64) -> Option<&'static str> {
        let slower = self.ratio > accepted * TOLERANCE;
        let below = 1_000.0 / self.micros < self.floor;
        slower.then_some("SLOWER THAN ACCEPTED").or_else(|| below.then_some("BELOW THE FLOOR"))
    }

    fn best(self, other: Self) -> Self {
        let (micros, ratio) = (self.micros.min(other.micros), self.ratio.min(other.ratio));
        Self { micros, ratio, ..self }
    }
}

fn say(line: &str) {
    // Nobody listening is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let plant = after("--plant").and_then(|percent| percent.parse().ok()).unwrap_or_default();
    let only = after("--only").unwrap_or_default();
    let accepted: Value = serde_json::from_str(include_str!("accepted.json")).expect("JSON");
    let mut calibration = Calibration::new();
    let (mut passed, mut ratios) = (true, serde_json::Map::new());
    for operation in OPERATIONS.iter().filter(|operation| operation.name.contains(only)) {
        let accepted = accepted[operation.name].as_f64().unwrap_or_default();
        let mut measured = measure(operation, &mut calibration, plant);
        for _ in 1..ATTEMPTS {
            if measured.fault(accepted).is_none() {
                break;
            }
            thread::sleep(PAUSE);
            measured = measured.best(measure(operation, &mut calibration, plant));
        }
        let fault = measured.fault(accepted);
        let Measured { name, floor, micros, ratio } = measured;
        say(&format!(
            "{name:<24}{micros:>9.3} µs{:>7.0}/ms, floor {floor:>5}; ratio {ratio:.3}, accepted {accepted:.3}: {}",
            1_000.0 / micros,
            fault.unwrap_or("ok")
        ));
        passed &= fault.is_none();
        ratios.insert(name.to_owned(), json!((ratio * 1e3).round() / 1e3));
    }
    if !passed {
        let figures = serde_json::to_string_pretty(&ratios).expect("JSON");
        say(&format!("Measured now, should it be accepted (benches/accepted.json):\n{figures}"));
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

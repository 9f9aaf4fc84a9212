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

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

mod work;
use work::Service;

/// Rounds of an operation, each with its share of the other work before and after it.
const ROUNDS: usize = 41;
/// Calls of an operation in a round take about as many microseconds.
const ROUND_MICROS: f64 = 3_000.0;
/// How much above the accepted ratio one may be: between what noise does and the slowdown to be caught.
const TOLERANCE: f64 = 1.15;
/// Entries there are before anything is measured.
const ENTRIES: usize = 1_000;

struct Operation {
    name: &'static str,
    call: fn(&mut Service),
    /// Operations a millisecond of processor time that must be reached on any machine worth testing on.
    floor: f64,
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "store new content", call: Service::store_new, floor: 100.0 },
    Operation { name: "store known content", call: Service::store_known, floor: 100.0 },
    Operation { name: "retrieve by id", call: Service::retrieve_by_id, floor: 400.0 },
    Operation { name: "retrieve by hash", call: Service::retrieve_by_hash, floor: 400.0 },
    Operation { name: "retrieve with metadata", call: Service::retrieve_whole, floor: 150.0 },
    Operation { name: "exists", call: Service::exists, floor: 1_000.0 },
    Operation { name: "update", call: Service::update, floor: 80.0 },
    Operation { name: "store and delete", call: Service::store_and_delete, floor: 40.0 },
    Operation { name: "store child data", call: Service::child_data, floor: 80.0 },
    Operation { name: "read child data", call: Service::child_data_back, floor: 100.0 },
    Operation { name: "list child data", call: Service::list_page, floor: 80.0 },
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
    /// Microseconds of processor time a call, the median of all rounds.
    micros: f64,
    /// The same in calls of the other work: the median of the ratios of rounds.
    ratio: f64,
}

fn measure(operation: &Operation, calibration: &mut Calibration, plant: f64) -> Measured {
    let mut service = Service::new(ENTRIES);
    let call = operation.call;
    let once = timed(200, || call(&mut service));
    let calls = ((ROUND_MICROS / once) as usize).clamp(10, 10 * ENTRIES);
    // More of them than are counted.
    let planted = (calls as f64 * (1.0 + plant / 100.0)) as usize;
    let of_work = (ROUND_MICROS / 2.0 / timed(100, || calibration.call())) as usize;
    let (mut micros, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Anew, so that no round finds more entries than another.
        drop(service);
        service = Service::new(ENTRIES);
        let before = timed(of_work, || calibration.call());
        let spent = timed(planted, || call(&mut service)) * planted as f64 / calls as f64;
        let after = timed(of_work, || calibration.call());
        micros.push(spent);
        ratios.push(spent * 2.0 / (before + after));
    }
    let Operation { name, floor, .. } = *operation;
    Measured { name, floor, micros: median(micros), ratio: median(ratios) }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Prints what was measured of an operation; whether it may pass.
fn judge(measured: &Measured, accepted: &Value) -> bool {
    let Measured { name, floor, micros, ratio } = measured;
    let (rate, accepted) = (1_000.0 / micros, accepted[name].as_f64().unwrap_or_default());
    let verdict = if *ratio > accepted * TOLERANCE {
        "SLOWER THAN ACCEPTED"
    } else if rate < *floor {
        "BELOW THE FLOOR"
    } else {
        "ok"
    };
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "{name:<24}{micros:>9.3} µs{rate:>9.0}/ms  floor {floor:>5}  ratio {ratio:.3}, accepted {accepted:.3}  {verdict}"
    );
    verdict == "ok"
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
        let measured = measure(operation, &mut calibration, plant);
        passed &= judge(&measured, &accepted);
        ratios.insert(measured.name.to_owned(), json!((measured.ratio * 1e3).round() / 1e3));
    }
    if !passed {
        let figures = serde_json::to_string_pretty(&ratios).expect("JSON");
        let mut out = std::io::stdout().lock();
        let _ = writeln!(
            out,
            "Measured now, should it be accepted (benches/accepted.json):\n{figures}"
        );
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

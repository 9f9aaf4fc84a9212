//! The binary on memory under load, next to the least that a server can do: one that keeps the bytes of
//! a body and gives them back. The load comes from `wrk`, in turns, with 1, 8 and 32 connections; bodies
//! are 1 KiB of JSON, all different.
//!
//! Beside requests a second and latencies stands the processor time a server spends on a request, which
//! the load generator on the same machine disturbs less. `--python PYTHON` names an interpreter that has
//! the Python service installed, which is then measured, too; `--json FILE` writes the figures;
//! `--seconds N` is how long one measurement lasts, `--rounds N` how many there are of each.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use axum::Router;
use axum::extract::{Path as InPath, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use serde_json::{Value, json};

#[expect(dead_code, reason = "the table of stores has rows of its own")]
mod report;
#[expect(dead_code, reason = "memory is not looked at here")]
mod server;
#[expect(dead_code, reason = "only its bodies and its allocator are used")]
mod work;

use server::Server;

use report::{argument, median, say, write};

/// Where to store.
const STORE: &str = "/bench/direct/store/json";
const CONNECTIONS: [u32; 3] = [1, 8, 32];
/// More bytes than a server takes in a round.
const MEMORY: usize = 1 << 30;
/// Entries that are read.
const STOCK: u64 = 1_000;
/// The same for the Python service, which takes its time to store them.
const PYTHON_STOCK: u64 = 100;

const PYTHON: &str = r#"
import socket, uvicorn
from mgraph_ai_service_cache.fast_api.Cache_Service__Fast_API import Cache_Service__Fast_API
app = Cache_Service__Fast_API().setup().app()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print("http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
"#;

/// Keeps bytes under numbers.
#[derive(Debug, Default)]
struct Kept {
    values: RwLock<HashMap<u64, Bytes, foldhash::fast::RandomState>>,
    last: AtomicU64,
}

async fn keep(State(kept): State<Arc<Kept>>, body: Bytes) -> impl IntoResponse {
    let id = kept.last.fetch_add(1, Ordering::Relaxed);
    // A copy, since what the body lies in is larger.
    kept.values.write().expect("whole").insert(id, Bytes::copy_from_slice(&body));
    ([(header::CONTENT_TYPE, "application/json")], format!(r#"{{"cache_id":"{id}"}}"#))
}

async fn give(State(kept): State<Arc<Kept>>, InPath(id): InPath<u64>) -> impl IntoResponse {
    match kept.values.read().expect("whole").get(&id) {
        Some(bytes) => Ok(([(header::CONTENT_TYPE, "application/json")], bytes.clone())),
        None => Err(StatusCode::NOT_FOUND),
    }
}

fn serve_minimal() -> std::io::Result<()> {
    let router = Router::new()
        .route(STORE, post(keep))
        .route("/bench/retrieve/{id}/json", get(give))
        .with_state(Arc::new(Kept::default()));
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        say(&format!("http://{}", listener.local_addr()?));
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
        axum::serve(listener, router).await
    })
}

/// Starts one of the servers.
fn start(name: &'static str, folder: &Path, python: Option<&str>) -> Server {
    let command = match (name, python) {
        ("larder", _) => server::larder(&["--storage-mode", "memory"]),
        ("python", Some(python)) => {
            let mut command = Command::new(python);
            command.args(["-W", "ignore", "-c", PYTHON]);
            command.env("CACHE__SERVICE__STORAGE_MODE", "memory");
            command.env("FAST_API__AUTH__API_KEY__NAME", "x-key");
            command.env("FAST_API__AUTH__API_KEY__VALUE", "bench");
            command
        }
        _ => {
            let mut command = Command::new(std::env::current_exe().expect("a path"));
            command.arg("--minimal");
            command
        }
    };
    Server::start(name, command, folder)
}

/// Stores entries; the paths to read them.
fn fill(server: &Server, entries: u64) -> String {
    let stored = (0..entries).map(|number| {
        let answer = server.ask("POST", STORE, "application/json", &work::body(number));
        let answer = String::from_utf8_lossy(&answer);
        let id = answer.split_once(r#""cache_id":""#).and_then(|(_, rest)| rest.split_once('"'));
        id.unwrap_or_else(|| panic!("{} answered {answer}", server.name)).0.to_owned()
    });
    stored.map(|id| format!("/bench/retrieve/{id}/json\n")).collect()
}

/// What came of one measurement.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
    processor_micros: f64,
}

fn wrk(server: &Server, connections: u32, seconds: &str, request: &[&str]) -> Figures {
    let before = server.processor();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/load.lua");
    let output = Command::new("wrk")
        .args(["-t1", "--latency", "--timeout", "20s", "-d", &format!("{seconds}s")])
        .args([&format!("-c{connections}"), "-H", "x-key: bench", "-s", script])
        .arg(format!("http://{}", server.address))
        .arg("--")
        .args(request)
        .output()
        .expect("wrk, a load generator, which systems have in a package of that name");
    let spent = server.processor() - before;
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let result = result.unwrap_or_else(|| panic!("{}: {text}", server.name));
    let result: Vec<f64> = result.split(' ').map(|n| n.parse().expect("a number")).collect();
    let [requests, micros, wrong, p50, p99] = result[..] else { panic!("{text}") };
    assert!(wrong == 0.0 && requests > 0.0, "{} under load: {text}", server.name);
    let (rate, processor_micros) = (requests / micros * 1e6, spent / requests * 1e6);
    Figures { rate, p50, p99, processor_micros }
}

/// Has the host of a virtual machine give it more memory than a round takes. What it has not given yet costs
/// twenty times as much to take as what is free in the machine, more than storing an entry does; and hosts
/// take back what was not used for a while.
fn have_memory() {
    let program = std::env::current_exe().expect("a path");
    let took = Command::new(program).arg("--take-memory").status().expect("started");
    assert!(took.success(), "there is no memory: {took}");
}

/// Figures by server, what was done, and connections.
type All = HashMap<(&'static str, &'static str, u32), Vec<Figures>>;

fn round(all: &mut All, server: &Server, folder: &Path, seconds: &str, number: usize) {
    have_memory();
    let stock = if server.name == "python" { PYTHON_STOCK } else { STOCK };
    // It answers so few a second that a crowd would get no answer in less.
    let seconds = if server.name == "python" { "5" } else { seconds };
    let paths = folder.join(format!("{}.paths", server.name));
    std::fs::write(&paths, fill(server, stock)).expect("written");
    let body = folder.join("body");
    std::fs::write(&body, work::body(0)).expect("written");
    let (paths, body) = (paths.to_string_lossy(), body.to_string_lossy());
    for (index, connections) in CONNECTIONS.into_iter().enumerate() {
        let turn = (number * CONNECTIONS.len() + index + 1).to_string();
        for (what, request) in [
            ("get", vec!["get", &*paths, turn.as_str()]),
            ("put", vec!["post", STORE, &*body, turn.as_str()]),
        ] {
            let figures = wrk(server, connections, seconds, &request);
            all.entry((server.name, what, connections)).or_default().push(figures);
        }
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--minimal") {
        return serve_minimal().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    if std::env::args().any(|argument| argument == "--take-memory") {
        drop(black_box(vec![1_u8; MEMORY]));
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let python = argument("--python");
    let seconds = argument("--seconds").unwrap_or_else(|| "1".to_owned());
    let rounds = argument("--rounds").and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    let mut names = vec!["larder", "minimal"];
    names.extend(python.is_some().then_some("python"));
    let mut all = All::new();
    for number in 0..rounds {
        for name in &names {
            let server = start(name, folder.path(), python.as_deref());
            round(&mut all, &server, folder.path(), &seconds, number);
        }
    }
    say("          connections          requests/s   of minimal   p50 µs   p99 µs   processor µs");
    let mut rows = Vec::new();
    for what in ["get", "put"] {
        for connections in CONNECTIONS {
            for name in &names {
                rows.push(row(&all, name, what, connections));
            }
        }
    }
    write(&rows);
    ExitCode::SUCCESS
}

/// The line of a server, with how it compares to the minimal one: the median of the rounds.
fn row(all: &All, name: &'static str, what: &'static str, connections: u32) -> Value {
    let [ours, minimal] = [name, "minimal"].map(|name| &all[&(name, what, connections)]);
    let over = |of: fn(&Figures) -> f64| median(ours.iter().map(of).collect());
    let [rate, p50, p99, processor] =
        [over(|f| f.rate), over(|f| f.p50), over(|f| f.p99), over(|f| f.processor_micros)];
    let ratio = median(ours.iter().zip(minimal).map(|(a, b)| a.rate / b.rate).collect());
    say(&format!(
        "{what:<6}{connections:>8}    {name:<12}{rate:>12.0}{ratio:>13.4}{p50:>9.0}{p99:>9.0}{processor:>15.1}"
    ));
    json!({
        "name": name, "operation": what, "connections": connections,
        "rate": rate.round(), "ratio": (ratio * 1e4).round() / 1e4,
        "p50_micros": p50, "p99_micros": p99, "processor_micros": (processor * 10.0).round() / 10.0,
    })
}

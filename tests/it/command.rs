//! The binary from outside: how it starts, what it says, how it stops.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::service::{self, Service};

/// The binary, with nothing of the machine's settings.
pub fn larder() -> Command {
    service::larder(&std::env::temp_dir())
}

fn start(command: Command) -> Service {
    Service::start(command, Stdio::piped())
}

/// Sends a request as it is, and gives the answer as it came.
fn request(service: &Service, request: &str) -> String {
    let mut stream = TcpStream::connect(&service.address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("an answer");
    reply
}

fn get(service: &Service, path: &str) -> (u16, String) {
    service.connect().expect("connected").send("GET", path, "").expect("an answer")
}

/// Ends the service; whether it ended well, and its log.
fn stop(service: &mut Service) -> (bool, String) {
    service.signal("-TERM");
    let mut log = String::new();
    service.child.stderr.take().expect("piped").read_to_string(&mut log).expect("a log");
    (service.child.wait().expect("an end").success(), log)
}

/// Runs the binary to its end and gives what it said.
fn fails(command: &mut Command) -> String {
    let output = command.output().expect("the binary runs");
    assert!(!output.status.success(), "started");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn starts_without_set_up_and_says_how_to_try_it() {
    let mut service = start(larder());
    assert!(service.line.contains("store: memory"), "{}", service.line);
    assert!(service.line.contains("no key required"), "{}", service.line);
    assert!(service.line.contains("try: curl http://"), "{}", service.line);
    assert!(get(&service, "/info/health").1.ends_with(r#"{"status":"ok"}"#));
    assert_eq!(get(&service, "/readyz").0, 200);
    let (well, log) = stop(&mut service);
    assert!(well, "{log}");
    assert!(log.contains("store=\"memory\"") && log.contains("why="), "{log}");
}

#[test]
fn logs_one_structured_line_a_request_and_never_a_key() {
    let mut command = larder();
    command.args(["--log-format", "json", "--api-key-name", "X-Key"]);
    command.env("FAST_API__AUTH__API_KEY__VALUE", "the-secret");
    let mut service = start(command);
    request(
        &service,
        "GET /secret-space/retrieve/hash/0123456789abcdef?x=y HTTP/1.1\r\nhost: localhost\r\n\
         x-key: the-secret\r\nconnection: close\r\n\r\n",
    );
    let (_, log) = stop(&mut service);
    let line = log.lines().find(|line| line.contains("retrieve")).expect("a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(line["route"], "/{namespace}/retrieve/hash/{cache_hash}");
    assert_eq!((&line["status"], &line["method"]), (&404.into(), &"GET".into()));
    assert!(line["id"].is_string() && line["bytes"].is_u64() && line["micros"].is_u64());
    assert!(!log.contains("the-secret") && !log.contains("secret-space"), "{log}");
}

/// Lines of requests may wait for a moment without requests, and for nothing else: not for more of them, and
/// not for the end.
#[test]
fn every_request_is_soon_in_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("log");
    let service = Service::start(larder(), std::fs::File::create(&place).expect("a file").into());
    let mut client = service.connect().expect("connected");
    for _ in 0..500 {
        assert_eq!(client.send("GET", "/livez", "").expect("an answer").0, 200);
    }
    let lines = || std::fs::read_to_string(&place).expect("a log").matches("/livez").count();
    for _ in 0..500 {
        if lines() == 500 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(lines(), 500);
}

/// What was accepted before the signal is answered after it.
#[test]
fn drains_on_sigterm() {
    let mut service = start(larder());
    let mut stream = TcpStream::connect(&service.address).expect("connected");
    let head = "POST /n/direct/store/string HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/json\r\ncontent-length: 7\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    // The head is on its way: an answered request on another connection was accepted after it.
    assert_eq!(get(&service, "/livez").0, 200);
    std::thread::sleep(Duration::from_millis(100));
    service.signal("-TERM");
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(b"\"late!\"").expect("sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("an answer");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    let refused = TcpStream::connect(&service.address);
    assert!(refused.is_err(), "no new connections");
    let mut log = String::new();
    service.child.stderr.take().expect("piped").read_to_string(&mut log).expect("a log");
    assert!(service.child.wait().expect("an end").success(), "{log}");
}

#[test]
fn refuses_to_be_open_to_the_network_by_accident() {
    let said = fails(larder().args(["--listen", "0.0.0.0:0"]));
    assert!(said.contains("--no-auth") && said.contains("FAST_API__AUTH__API_KEY__NAME"), "{said}");
}

#[test]
fn reports_all_mistakes_at_once_by_name() {
    let mut command = larder();
    command.env("CACHE__SERVICE__STORAGE_MODE", "bogus");
    command.env("CACHE__SERVICE__DEFAULT_TTL_HOURS", "abc");
    command.env("CACHE__SERVICE__LISTEN", "nowhere");
    let said = fails(&mut command);
    for name in ["STORAGE_MODE", "DEFAULT_TTL_HOURS", "LISTEN"] {
        assert!(said.contains(&format!("CACHE__SERVICE__{name}")), "{said}");
    }
}

#[test]
fn says_what_is_in_the_way_of_its_address() {
    let mut service = start(larder());
    let said = fails(larder().args(["--listen", &service.address]));
    assert!(said.contains("cannot listen") && said.contains(&service.address), "{said}");
    assert!(stop(&mut service).0);
}

//! The command from outside: what it says, what it leaves, how it ends.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use larder::storage::Durability;
use larder::storage::blocking::BlockingStorage as _;
use larder::storage::disk::Disk;

/// A folder of a test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("larder-command-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-conformance"));
    command.env_clear().args(args);
    command
}

fn ran(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn store(kind: &str, path: &Path) -> String {
    format!("{kind}:{}", path.display())
}

fn names(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).unwrap();
    all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Ends a run by a signal as soon as `is` holds of what the run has written so far.
fn interrupted(mut child: Child, signal: &str, is: impl Fn() -> bool) -> (Option<i32>, String) {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = stderr.lines();
    let mut said = String::new();
    // The name of the run, and a check that has ended: others are under way.
    for _ in 0..2 {
        said += &lines.next().unwrap().unwrap();
    }
    while !is() {
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    for line in lines {
        said += &format!("\n{}", line.unwrap());
    }
    let own = format!("larder-conformance-{id}-");
    let status = child.wait().unwrap().code();
    for homes in [Path::new("/dev/shm"), &std::env::temp_dir()] {
        if homes.is_dir() {
            assert!(!names(homes).iter().any(|name| name.starts_with(&own)), "{said}");
        }
    }
    (status, said)
}

#[test]
fn an_interrupted_run_leaves_nothing_in_a_store() {
    for (signal, status) in [("-INT", 130), ("-TERM", 143), ("-INT", 130)] {
        let folder = Folder::new();
        let args = ["run", "--store", &store("disk", &folder.0), "--threads", "4"];
        let mut run = command(&args);
        let run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let writes = || names(&folder.0).iter().any(|name| name.starts_with("lc-"));
        let (code, said) = interrupted(run, signal, writes);
        assert_eq!(code, Some(status), "{said}");
        assert!(said.contains("is cleared"), "{said}");
        let left: Vec<_> =
            names(&folder.0).into_iter().filter(|name| name.starts_with("lc-")).collect();
        assert_eq!(left, Vec::<String>::new(), "{said}");
    }
}

#[test]
fn what_a_killed_run_leaves_is_cleared_by_the_name_it_began_with() {
    let folder = Folder::new();
    let place = store("disk", &folder.0);
    // What a run that was killed leaves.
    let mut run = command(&["run", "--store", &place])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(run.stderr.take().unwrap()).read_line(&mut said).unwrap();
    while !names(&folder.0).iter().any(|name| name.starts_with("lc-")) {
        std::thread::yield_now();
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let own = said.trim().rsplit(' ').next().unwrap().trim_end_matches('-').to_owned();
    fs::create_dir_all(folder.at("mine/data")).unwrap();
    fs::write(folder.at("mine/data/kept.json"), "{}").unwrap();
    let (code, _, said) = ran(&["clear", "--store", &place, &own]);
    assert_eq!(code, Some(0), "{said}");
    // As the store sees it: a folder without files, as a killed writer may leave, is nothing.
    let disk = Disk::open(&folder.0, Durability::Relaxed).unwrap();
    let left: Vec<_> = disk.namespaces().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(left, ["mine"], "{said}");
    assert!(folder.at("mine/data/kept.json").exists());
    // Nothing but a run is cleared.
    assert_eq!(ran(&["clear", "--store", &place, "mine"]).0, Some(2));
    assert!(folder.at("mine/data/kept.json").exists());
}

#[test]
fn a_store_that_is_not_there_is_not_made_unless_asked_for() {
    let folder = Folder::new();
    for kind in ["disk", "sqlite", "zip"] {
        let place = store(kind, &folder.at(&format!("new/{kind}/x")));
        let (code, _, said) = ran(&["run", "--store", &place, "K-01"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("there is no") && said.contains("--create"), "{said}");
        assert_eq!(names(&folder.0), Vec::<String>::new());
    }
    for kind in ["disk", "sqlite", "zip"] {
        let place = store(kind, &folder.at(&format!("new/{kind}/x")));
        let (code, _, said) = ran(&["run", "--create", "--store", &place, "K-01"]);
        assert_eq!(code, Some(0), "{said}");
    }
    let file = folder.at("file");
    fs::write(&file, "no database").unwrap();
    let (code, _, said) = ran(&["run", "--store", &store("sqlite", &file), "K-01"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(!said.contains("CACHE__SERVICE"), "{said}");
}

#[test]
fn a_store_of_the_variables_is_named() {
    let (code, said, _) = ran(&["run", "--store", "env", "K-01"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("a memory store") && said.contains("made for this run"), "{said}");
}

#[test]
fn a_run_that_checked_nothing_did_not_run() {
    let (code, _, said) = ran(&["run", "--store", "memory", "X-99"]);
    assert_eq!(code, Some(2), "{said}");
    // A memory store does not survive a restart, so it is not asked.
    let (code, out, said) = ran(&["run", "--store", "memory", "X-04"]);
    assert_eq!(code, Some(2), "{out}{said}");
    assert!(said.contains("nothing was checked") && out.contains("not checked:"), "{out}{said}");
}

#[test]
fn usage_says_what_goes_together() {
    let (code, out, _) = ran(&["run", "--list"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("\nK-01 ") && out.contains("\nH-01 "), "{out}");
    let (code, _, said) = ran(&["run", "--store", "memory", "--api-key", "x"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--http"), "{said}");
    assert_eq!(ran(&["run", "K-01"]).0, Some(2));
}

#[test]
fn a_report_on_standard_output_stands_alone() {
    let (code, out, said) = ran(&["run", "--store", "memory", "K-01", "--report", "json=-"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(out.starts_with(['{', '[']) && out.trim_end().ends_with(['}', ']']), "{out}");
    assert!(said.contains("1 hold"), "{said}");
    let folder = Folder::new();
    let nowhere = folder.at("nowhere/page.html").display().to_string();
    let report = format!("html={nowhere}");
    let (code, out, said) = ran(&["run", "--store", "memory", "K-01", "--report", &report]);
    assert_eq!(code, Some(2));
    // Before the run: nothing of it is told.
    assert!(out.is_empty() && !said.contains("K-01"), "{out}{said}");
    assert!(said.contains(&nowhere), "{said}");
}

#[test]
fn an_interrupted_run_leaves_nothing_on_a_server() {
    use larder::cache::{Cache, Settings};
    use larder::storage::{Storage as _, memory::Memory};
    use std::sync::Arc;

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = Arc::new(Memory::new());
    let cache = Cache::new(Arc::clone(&store) as _, Settings::default());
    let app = Arc::new(larder::http::App::new(cache, larder::http::Settings::default()));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let forever = std::future::pending();
    let answer = move |request| Arc::clone(&app).answer(request);
    runtime.spawn(larder::http::serve(listener, answer, forever, std::time::Duration::ZERO));
    let left = || runtime.block_on(store.namespaces()).unwrap();
    for threads in ["1", "4", "4", "4"] {
        let mut run = command(&["run", "--http", &base, "--threads", threads]);
        let run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (code, said) = interrupted(run, "-INT", || !left().is_empty());
        assert_eq!(code, Some(130), "{said}");
        assert!(left().is_empty(), "{:?}\n{said}", left());
    }
}

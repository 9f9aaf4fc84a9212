//! Other processes: this test program run again, holding a store open and doing as it is told.
//!
//! The parent sends a line, the worker does it and answers with a line, after the call came back. In
//! the churn the worker writes on its own and acknowledges each write, until it is killed.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use larder::key::Key;
use larder::storage::{Batch, Error, Expect, Version};
use std::collections::HashMap;

use crate::bench::{Bench, Handle, Home, Random, key, runtime, space};
use crate::faulty::{Fault, Faulty};
use crate::linear::Answer;
use crate::model::{Change, Wants};
use crate::report::{Failure, chain};
use crate::subject::AnySubject;

const SUBJECT: &str = "LARDER_CONFORMANCE_WORKER";
const HOME: &str = "LARDER_CONFORMANCE_WORKER_HOME";
const TASK: &str = "LARDER_CONFORMANCE_WORKER_TASK";

/// The first thing that every worker says.
const STARTED: &str = "started";

/// When a write of a race applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    Absent,
    /// The value is the one this seat saw last.
    Seen,
}

/// Someone who takes part in a race over numbered keys.
pub(crate) trait Seat {
    /// Reads; the value's number, or that nothing is known.
    fn read(&mut self, place: usize) -> Result<Answer, Failure>;
    /// Puts a number, or deletes.
    fn write(&mut self, place: usize, value: Option<u32>, when: When) -> Answer;
}

/// The keys of races.
pub(crate) fn place(nth: usize) -> Key {
    key("team", ["a", "a/b", "a-b", "ab"][nth % 4])
}

/// A value that carries its number.
pub(crate) fn numbered(value: u32) -> bytes::Bytes {
    let len = [4, 40, 4000][value as usize % 3];
    let mut bytes = value.to_be_bytes().to_vec();
    bytes.resize(len, value as u8);
    bytes.into()
}

/// The number a value carries; `None` for what no one wrote.
pub(crate) fn number_of(bytes: &[u8]) -> Option<u32> {
    let number = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    (numbered(number) == bytes).then_some(number)
}

/// A seat in this process.
pub(crate) struct Local {
    handle: Handle,
    seen: HashMap<usize, Version>,
}

impl Local {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, seen: HashMap::new() }
    }
}

impl Seat for Local {
    fn read(&mut self, nth: usize) -> Result<Answer, Failure> {
        match self.handle.get(&place(nth)) {
            Ok(None) => {
                self.seen.remove(&nth);
                Ok(Answer::Value(None))
            }
            Ok(Some(object)) => {
                let shown = crate::bench::show(Some(&object.bytes));
                let number = number_of(&object.bytes);
                let number = number.ok_or_else(|| {
                    Failure::new(format!("a read saw what nobody wrote: {shown}"))
                })?;
                self.seen.insert(nth, object.version);
                Ok(Answer::Value(Some(number)))
            }
            Err(_) => Ok(Answer::Unknown),
        }
    }

    fn write(&mut self, nth: usize, value: Option<u32>, when: When) -> Answer {
        let expect = match (when, self.seen.get(&nth)) {
            (When::Always, _) => Expect::Any,
            (When::Absent, _) => Expect::Absent,
            (When::Seen, Some(version)) => Expect::At(version.clone()),
            (When::Seen, None) => Expect::At(Version::from("never seen")),
        };
        let result = match value {
            Some(value) => self.handle.put_if(&place(nth), numbered(value), expect),
            None => self.handle.delete_if(&place(nth), expect),
        };
        match result {
            Ok(()) => Answer::Done,
            Err(Error::Conflict { .. }) => Answer::Conflict,
            Err(_) => Answer::Unknown,
        }
    }
}

/// The batch number `nth` of a churn: a few related keys in two or three steps.
pub(crate) fn churn(seed: u64, nth: u64) -> Vec<Vec<Change>> {
    let mut random = Random(seed ^ nth.wrapping_mul(0x9e37_79b9));
    let names = ["a", "a/b", "a-b", "ab", "data/x.json", "refs/x"];
    let mut steps = Vec::new();
    for _ in 0..1 + random.below(3) {
        let mut step: Vec<Change> = Vec::new();
        for _ in 0..1 + random.below(2) {
            let key = key("team", names[random.below(names.len())]);
            if step.iter().all(|other| other.key != key) {
                let value =
                    (!random.one_in(4)).then(|| numbered(nth as u32 * 3 + random.below(3) as u32));
                step.push(Change { key, value, wants: Wants::Anything });
            }
        }
        steps.push(step);
    }
    steps
}

pub(crate) fn batch_of(steps: &[Vec<Change>]) -> Batch {
    let mut batch = Batch::new(&space("team"));
    for step in steps {
        batch.then();
        for change in step {
            match &change.value {
                Some(value) => batch.put(change.key.clone(), value.clone()),
                None => batch.delete(change.key.clone()),
            }
        }
    }
    batch
}

/// What a worker is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// Answer line by line.
    Serve,
    /// Write batches from this number on, acknowledging each; end at the fault, if any.
    Churn { seed: u64, from: u64, exit: Option<(u64, Fault)> },
    /// The same for a while, in a process that may not let a file grow beyond so many bytes: the
    /// system takes the part of a write that fits, and ends the process when it goes on.
    Cramped { seed: u64, from: u64, bytes: u64 },
    /// Open the store again and again, saying so before and after.
    Reopen,
}

/// How many batches a cramped worker writes at most.
const CRAMPED: u64 = 40;

impl Task {
    fn text(self) -> String {
        match self {
            Self::Serve => "serve".into(),
            Self::Reopen => "reopen".into(),
            Self::Cramped { seed, from, bytes } => format!("cramped {seed} {from} {bytes}"),
            Self::Churn { seed, from, exit } => {
                let (at, fault) = match exit {
                    Some((at, Fault::ExitAfter)) => (at, "after"),
                    Some((at, _)) => (at, "before"),
                    None => (0, "never"),
                };
                format!("churn {seed} {from} {at} {fault}")
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let kind = words.next()?;
        match kind {
            "serve" => return Some(Self::Serve),
            "reopen" => return Some(Self::Reopen),
            _ => {}
        }
        let mut number = || words.next()?.parse::<u64>().ok();
        let (seed, from, at) = (number()?, number()?, number()?);
        if kind == "cramped" {
            return Some(Self::Cramped { seed, from, bytes: at });
        }
        let exit = match words.next()? {
            "before" => Some((at, Fault::ExitBefore)),
            "after" => Some((at, Fault::ExitAfter)),
            _ => None,
        };
        Some(Self::Churn { seed, from, exit })
    }
}

/// The processes under way; `None` when no more are to be started.
static UNDER_WAY: Mutex<Option<Vec<Weak<Mutex<Child>>>>> = Mutex::new(Some(Vec::new()));

/// Ends all processes, and lets none be started any more: they write as checks do.
#[cfg(feature = "command")]
pub(crate) fn end_all() {
    let all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).take();
    for child in all.iter().flatten().filter_map(Weak::upgrade) {
        end(&child);
    }
}

/// Held by whoever is just starting a process.
static STARTING: RwLock<()> = RwLock::new(());

/// Waits until no process is just being started. Until a new process runs its program it holds the files
/// of this one open, and so the locks of stores that were closed meanwhile: without this, opening
/// such a store again would be refused now and then, by the battery's own doing.
pub(crate) fn let_processes_start() {
    drop(STARTING.write().unwrap_or_else(PoisonError::into_inner));
}

fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = child.kill();
    let _ = child.wait();
}

/// Another process with a handle on the store.
pub(crate) struct Worker {
    child: Arc<Mutex<Child>>,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts one; it has not opened the store yet.
    pub(crate) fn start(bench: &Bench, home: &Home, task: Task) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("failed to start a process: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.env(SUBJECT, bench.subject.name()).env(HOME, home.path()).env(TASK, task.text());
        Self::begin(&mut command).map_err(failed)
    }

    /// Starts a process, and waits until it runs its program: it says so first.
    fn begin(command: &mut Command) -> io::Result<Self> {
        let _starting = STARTING.read().unwrap_or_else(PoisonError::into_inner);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let (child, to, from) = {
            // Held while the process is started, so that none is forgotten.
            let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = || io::Error::other("the run has ended; no process is started");
            let all = under_way.as_mut().ok_or_else(ended)?;
            let mut child = command.spawn()?;
            let pipes = (child.stdin.take(), child.stdout.take());
            let child = Arc::new(Mutex::new(child));
            all.retain(|child| child.strong_count() > 0);
            all.push(Arc::downgrade(&child));
            let (Some(to), Some(from)) = pipes else {
                return Err(io::Error::other("a process without pipes"));
            };
            (child, to, from)
        };
        let mut worker = Self { child, to, from: BufReader::new(from) };
        match worker.line().as_deref() {
            Some(STARTED) => Ok(worker),
            said => Err(io::Error::other(format!(
                "the program is to begin with runner::serve_if_asked, and began with {said:?}"
            ))),
        }
    }

    /// The next line the worker says; `None` when it is gone.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.from.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) if !line.ends_with('\n') => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    pub(crate) fn ask(&mut self, line: &str) -> Option<String> {
        writeln!(self.to, "{line}").ok()?;
        self.line()
    }

    /// Ends it as the kernel ends a process: at once, wherever it is.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Waits until it is gone, and says how many writes it acknowledged until then.
    pub(crate) fn drain(self) -> u64 {
        self.last_words().iter().map(|line| u64::from(line.starts_with("ack"))).sum()
    }

    /// Waits until it is gone; what it said until then.
    pub(crate) fn last_words(mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(line) = self.line() {
            said.push(line);
        }
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
        said
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        end(&self.child);
    }
}

impl Seat for Worker {
    fn read(&mut self, nth: usize) -> Result<Answer, Failure> {
        match self.ask(&format!("read {nth}")).as_deref() {
            Some("nothing") => Ok(Answer::Value(None)),
            Some(line) => match line.strip_prefix("value ").map(str::parse) {
                Some(Ok(number)) => Ok(Answer::Value(Some(number))),
                _ if line.starts_with("broken") => Err(Failure::new(line.to_owned())),
                _ => Ok(Answer::Unknown),
            },
            None => Ok(Answer::Unknown),
        }
    }

    fn write(&mut self, nth: usize, value: Option<u32>, when: When) -> Answer {
        let what = value.map_or_else(|| "delete".into(), |value| value.to_string());
        match self.ask(&format!("write {nth} {what} {when:?}")).as_deref() {
            Some("done") => Answer::Done,
            Some("conflict") => Answer::Conflict,
            _ => Answer::Unknown,
        }
    }
}

/// The subject another process of the battery asks this one for, if it was started as a worker.
#[cfg(feature = "command")]
pub(crate) fn asked() -> Option<String> {
    std::env::var(SUBJECT).ok()
}

/// Does a worker's work if this process was started as one.
pub(crate) fn serve_if_asked(subjects: &[AnySubject]) -> Option<ExitCode> {
    let name = std::env::var(SUBJECT).ok()?;
    let home = std::env::var_os(HOME)?;
    let task = std::env::var(TASK).ok().and_then(|text| Task::parse(&text));
    let subject = subjects.iter().find(|subject| subject.name() == name);
    let (Some(subject), Some(task)) = (subject, task) else { return Some(ExitCode::from(3)) };
    let say = |line: &str| writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush());
    let open = || {
        let opened = runtime().block_on(subject.open(Path::new(&home)));
        opened.map_err(|error| say(&format!("refused {}", chain(&*error).replace('\n', " "))))
    };
    let _ = say(STARTED);
    if let Task::Reopen = task {
        while say("opening").is_ok() && open().is_ok() && say("ready").is_ok() {}
        return Some(ExitCode::SUCCESS);
    }
    let Ok(store) = open() else { return Some(ExitCode::SUCCESS) };
    let _ = say("ready");
    let write = |handle: &Handle, seed, nth| {
        let line = match handle.apply(batch_of(&churn(seed, nth))) {
            Ok(()) => format!("ack {nth}"),
            Err(error) => format!("failed {nth} {}", chain(&error).replace('\n', " ")),
        };
        say(&line).is_ok() && !line.starts_with("failed")
    };
    match task {
        Task::Reopen => {}
        Task::Serve => serve(Local::new(Handle::new(store)), say),
        Task::Cramped { seed, from, bytes } => {
            let handle = Handle::new(store);
            if cramp(bytes) && (from..from + CRAMPED).all(|nth| write(&handle, seed, nth)) {
                let _ = say("roomy");
            }
        }
        Task::Churn { seed, from, exit } => {
            let faulty = Faulty::over(store).writes_only();
            let faulty = match exit {
                Some((at, fault)) => faulty.at(at, fault),
                None => faulty,
            };
            let handle = Handle::new(Arc::new(faulty));
            let _ = (from..from + 100_000).all(|nth| write(&handle, seed, nth));
        }
    }
    Some(ExitCode::SUCCESS)
}

/// Lets no file of this process grow beyond so many bytes.
#[cfg(target_os = "linux")]
fn cramp(bytes: u64) -> bool {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    // What ends the process would leave its memory in a file.
    setrlimit(Resource::Core, limit(0)).is_ok() && setrlimit(Resource::Fsize, limit(bytes)).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn cramp(_: u64) -> bool {
    false
}

fn serve(mut seat: Local, say: impl Fn(&str) -> io::Result<()>) {
    for line in io::stdin().lines().map_while(Result::ok) {
        let words: Vec<_> = line.split(' ').collect();
        let answer = match words[..] {
            ["read", nth] => match seat.read(nth.parse().unwrap_or_default()) {
                Ok(Answer::Value(None)) => "nothing".into(),
                Ok(Answer::Value(Some(number))) => format!("value {number}"),
                Ok(_) => "error".into(),
                Err(failure) => format!("broken {}", failure.what),
            },
            ["write", nth, value, when] => {
                let when = match when {
                    "Absent" => When::Absent,
                    "Seen" => When::Seen,
                    _ => When::Always,
                };
                match seat.write(nth.parse().unwrap_or_default(), value.parse().ok(), when) {
                    Answer::Done => "done".into(),
                    Answer::Conflict => "conflict".into(),
                    _ => "error".into(),
                }
            }
            _ => "error".into(),
        };
        if say(&answer).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::process::Command;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use larder::storage::memory::Memory;

    use super::Worker;
    use crate::bench::runtime;
    use crate::subject::{AnySubject, Opened, Subject};

    /// A store that is locked, and closed at once.
    struct Exclusive;

    impl Subject for Exclusive {
        async fn open(&self, home: &Path) -> Opened {
            File::create(home)?.try_lock()?;
            Ok(Arc::new(Memory::new()))
        }
    }

    #[test]
    fn a_process_that_is_being_started_keeps_no_lock_of_a_store_that_was_closed() {
        let home = std::env::temp_dir().join(format!("{}-locked", crate::run_name()));
        let subject = AnySubject::new(Exclusive);
        let done = AtomicBool::new(false);
        let refused = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Worker::begin(Command::new("echo").arg("started")).expect("a process");
                }
            });
            let mut opens = (0..20_000).map(|_| runtime().block_on(subject.open(&home)));
            let refused = opens.find_map(Result::err);
            done.store(true, Ordering::Relaxed);
            refused
        });
        let _ = std::fs::remove_file(&home);
        assert!(refused.is_none(), "{refused:?}");
    }
}

//! The core of the battery: programs over related names, run against the model.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use larder::key::Key;
use larder::storage::{Batch, Depth, Error, Expect, List, Version};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::bench::{Bench, Handle, Home};
use crate::check::Outcome;
use crate::ensure;
use crate::model::{Change, Model, Trouble, Wants};
use crate::names::Relations;
use crate::ops::{Edit, Guard, Mix, Op, Program, programs};
use crate::report::Failure;

/// What came up in a run; a check whose run was too poor is inconclusive.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Coverage {
    relations: Relations,
    same_length: u32,
    shorter: u32,
    deleted: u32,
    deleted_nothing: u32,
    put_again: u32,
    conflicts: u32,
    held: u32,
    steps: u32,
    pages: u32,
    folders: u32,
    reopened: u32,
}

impl Coverage {
    fn missing(&self, mix: Mix) -> Vec<&'static str> {
        let counters = [
            ("overwriting with the same length", self.same_length),
            ("overwriting with a shorter value", self.shorter),
            ("deleting what is there", self.deleted),
            ("deleting what is not there", self.deleted_nothing),
            ("putting again what was deleted", self.put_again),
            ("an expectation that fails", self.conflicts),
            ("an expectation that holds", self.held),
            ("a batch of several steps", self.steps),
            ("a listing of several pages", self.pages),
            ("a folder in a listing", self.folders),
        ];
        let mut missing = self.relations.missing(mix.namespaces.0 > 0, FEWEST);
        missing.extend(counters.into_iter().filter(|(_, n)| *n < FEWEST).map(|(name, _)| name));
        if mix.reopen && self.reopened < FEWEST {
            missing.push("opening again");
        }
        missing
    }
}

/// Draws programs and runs them; the smallest one that fails is the counter-example.
pub(crate) fn explore(bench: &Bench, mix: Mix, usual: u32) -> Outcome {
    replay_kept(bench, mix)?;
    let cases = bench.rounds(usual);
    let coverage = RefCell::new(Coverage::default());
    // Until everything came up that is to come up; a few cases more are enough for that.
    for round in 0..EXTENSIONS {
        draw(bench, mix, cases, round, &coverage)?;
        if cases < usual || coverage.borrow().missing(mix).is_empty() {
            return Ok(());
        }
    }
    let missing = coverage.borrow().missing(mix).join(", ");
    Err(Failure::inconclusive(format!(
        "in {} cases there were fewer than {FEWEST} of: {missing}",
        cases * u32::from(EXTENSIONS)
    )))
}

/// How often everything that is to come up must come up: once may be in a program that shows nothing.
const FEWEST: u32 = 8;

/// How often a run that was too poor goes on.
const EXTENSIONS: u8 = 5;

/// Draws so many programs and runs them.
fn draw(bench: &Bench, mix: Mix, cases: u32, round: u8, coverage: &RefCell<Coverage>) -> Outcome {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 3000, ..Config::default() };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&bench.seed.to_le_bytes());
    seed[8] = round;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let answer = runner.run(&programs(mix), |program| {
        run(bench, mix, &program, &mut coverage.borrow_mut())
            .map_err(|failure| TestCaseError::fail(failure.what))
    });
    match answer {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, program)) => {
            let program = pruned(bench, mix, program);
            let kept = keep(bench, &program);
            let again = run(bench, mix, &program, &mut Coverage::default()).and_then(|()| {
                run_looking(bench, mix, &program, &mut Coverage::default(), Looks::All)
            });
            let what = again.err().map_or_else(
                || format!("{reason} (but not when the program was run again)"),
                |failure| failure.what,
            );
            Err(Failure { what, program: Some(format!("{program}{kept}")), ..Failure::default() })
        }
        Err(TestError::Abort(reason)) => Err(Failure::inconclusive(reason.to_string())),
    }
}

/// Takes out of a program that fails whatever it fails without: the generator's own shrinking stops at
/// the least it draws, and does not look into the middle of what is left.
fn pruned(bench: &Bench, mix: Mix, program: Program) -> Program {
    let mut program = program;
    let run = |program: &Program, looks| {
        let answer = run_looking(bench, mix, program, &mut Coverage::default(), looks);
        answer.is_err_and(|failure| !failure.inconclusive)
    };
    let looks = if run(&program, Looks::All) { Looks::All } else { Looks::Some };
    // A store that is slow, or fails by chance, is not asked forever.
    let mut left = 500;
    let mut fails = |program: &Program| {
        if left == 0 {
            return false;
        }
        left -= 1;
        run(program, looks)
    };
    loop {
        let smaller = program.smaller().find(&mut fails);
        let Some(smaller) = smaller else { return program };
        program = smaller;
    }
}

/// How often everything there is to see is compared while a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    /// Now and then, in a different way each time.
    Some,
    /// After every operation in every way, so that it does not depend on the number of an operation
    /// what is seen after it.
    All,
}

/// Runs one program on a new store.
pub(crate) fn run(bench: &Bench, mix: Mix, program: &Program, coverage: &mut Coverage) -> Outcome {
    run_looking(bench, mix, program, coverage, Looks::Some)
}

fn run_looking(
    bench: &Bench,
    mix: Mix,
    program: &Program,
    coverage: &mut Coverage,
    looks: Looks,
) -> Outcome {
    let mut run = Run::start(bench, mix, program)?;
    for (nth, op) in program.0.iter().enumerate() {
        run.op(op, coverage).map_err(|failure| failure.during(format!("{op}")))?;
        let ways = match looks {
            Looks::Some if nth % 3 != 2 => continue,
            Looks::Some => nth..nth + 1,
            Looks::All => 0..LIMITS.len(),
        };
        for way in ways {
            run.whole(way).map_err(|failure| failure.during(format!("after {op}")))?;
        }
    }
    run.whole(program.0.len()).map_err(|failure| failure.during("in the end"))?;
    coverage.relations.count(&run.written);
    Ok(())
}

struct Run<'a> {
    bench: &'a Bench,
    home: Home,
    handles: Vec<Handle>,
    model: Model,
    /// Every key the program names: what is not there must not appear either.
    named: Vec<Key>,
    written: Vec<Key>,
    gone: Vec<Key>,
}

impl<'a> Run<'a> {
    fn start(bench: &'a Bench, mix: Mix, program: &Program) -> Result<Self, Failure> {
        let home = bench.home();
        let handles = (0..mix.handles).map(|_| bench.open(&home)).collect::<Result<_, _>>()?;
        let mut named: Vec<Key> = program.0.iter().flat_map(Op::keys).collect();
        named.sort();
        named.dedup();
        let model = Model::new(bench.promises.atomic_batches);
        Ok(Self { bench, home, handles, model, named, written: Vec::new(), gone: Vec::new() })
    }

    fn handle(&self, on: u8) -> &Handle {
        &self.handles[usize::from(on) % self.handles.len()]
    }

    fn op(&mut self, op: &Op, coverage: &mut Coverage) -> Outcome {
        match op {
            Op::Apply { on, namespace, steps } => {
                let handle = self.handle(*on).clone();
                let mut batch = Batch::new(namespace);
                let mut changes: Vec<Vec<Change>> = Vec::new();
                for step in steps {
                    batch.then();
                    changes.push(Vec::new());
                    for edit in step {
                        let (change, expect) = self.work_out(&handle, edit)?;
                        match &change.value {
                            Some(value) => batch.put_if(edit.key.clone(), value.clone(), expect),
                            None => batch.delete_if(edit.key.clone(), expect),
                        }
                        changes.last_mut().expect("there is a step").push(change);
                    }
                }
                self.count(&changes, coverage);
                let answer = handle.apply(batch);
                coverage.conflicts += u32::from(matches!(answer, Err(Error::Conflict { .. })));
                let guarded =
                    changes.iter().flatten().any(|change| change.wants != Wants::Anything);
                coverage.held += u32::from(guarded && answer.is_ok());
                self.model.applied(&changes, &answer, Trouble::Never)?;
                // What was written is read back at once, through another handle if there is one.
                let other = self.handle(on.wrapping_add(1)).clone();
                for change in changes.iter().flatten() {
                    self.read(&other, &change.key)?;
                }
                Ok(())
            }
            Op::Get { on, key } => {
                let answer = self.handle(*on).get(key);
                self.model.got(key, &answer, Trouble::Never)
            }
            Op::Stat { on, key } => {
                let answer = self.handle(*on).stat(key);
                self.model.statted(key, &answer, Trouble::Never)
            }
            Op::List { on, prefix, depth, after, limit } => {
                let query = List {
                    prefix: prefix.clone(),
                    depth: *depth,
                    after: after.clone(),
                    limit: *limit,
                };
                let answer = self.handle(*on).list(query);
                if let Ok(page) = &answer {
                    let found = page.entries.len() + page.folders.len();
                    ensure!(found <= limit.get(), "the page holds {found} items");
                }
                self.model.listed(prefix, *depth, after.as_ref(), &answer, Trouble::Never)
            }
            Op::Walk { on, prefix, depth, limit } => {
                let walked = self.handle(*on).walk(prefix, *depth, limit.get())?;
                coverage.pages += u32::from(walked.pages > 1);
                coverage.folders += u32::from(!walked.folders.is_empty());
                self.model.walked(prefix, *depth, &walked)
            }
            Op::Namespaces { on } => {
                let answer = self.handle(*on).namespaces();
                self.model.spaces(&answer, Trouble::Never)
            }
            Op::Reopen => {
                coverage.reopened += 1;
                let count = self.handles.len();
                self.handles.clear();
                if !self.bench.promises.survives_restart {
                    self.model.forget();
                }
                for _ in 0..count {
                    let handle = self.bench.open(&self.home)?;
                    self.handles.push(handle);
                }
                Ok(())
            }
        }
    }

    fn read(&mut self, handle: &Handle, key: &Key) -> Outcome {
        self.model.got(key, &handle.get(key), Trouble::Never)?;
        self.model.statted(key, &handle.stat(key), Trouble::Never)
    }

    /// Turns a guard into an expectation, reading the version it needs if it is not known.
    fn work_out(&mut self, handle: &Handle, edit: &Edit) -> Result<(Change, Expect), Failure> {
        let of = match &edit.guard {
            Guard::Current | Guard::Stale => Some(&edit.key),
            Guard::Of(other) => Some(other),
            Guard::Any | Guard::Absent | Guard::Garbage => None,
        };
        if let Some(key) = of {
            self.read(handle, key)?;
        }
        let known = match &edit.guard {
            Guard::Stale => self.model.oldest(&edit.key),
            _ => of.and_then(|key| self.model.current(key)),
        };
        let own = of == Some(&edit.key);
        let (wants, expect) = match (&edit.guard, known) {
            (Guard::Any, _) => (Wants::Anything, Expect::Any),
            (Guard::Absent, _) => (Wants::Absence, Expect::Absent),
            (_, Some((version, bytes))) => {
                let expect = Expect::At(version.clone());
                (Wants::At { version, bytes: Some(bytes), own }, expect)
            }
            (_, None) => {
                let version = Version::from("no store made this");
                (
                    Wants::At { version: version.clone(), bytes: None, own: true },
                    Expect::At(version),
                )
            }
        };
        let value = edit.value.map(|value| value.bytes());
        Ok((Change { key: edit.key.clone(), value, wants }, expect))
    }

    fn count(&mut self, changes: &[Vec<Change>], coverage: &mut Coverage) {
        coverage.steps += u32::from(changes.len() > 1);
        for change in changes.iter().flatten() {
            let before = self.model.value(&change.key);
            match (&change.value, before) {
                (Some(new), Some(old)) => {
                    coverage.same_length += u32::from(new.len() == old.len() && new != old);
                    coverage.shorter += u32::from(new.len() < old.len());
                }
                (Some(_), None) => coverage.put_again += u32::from(self.gone.contains(&change.key)),
                (None, Some(_)) => {
                    coverage.deleted += 1;
                    self.gone.push(change.key.clone());
                }
                (None, None) => coverage.deleted_nothing += 1,
            }
            if change.value.is_some() && !self.written.contains(&change.key) {
                self.written.push(change.key.clone());
            }
        }
    }

    /// Compares everything there is to see, in every way there is to see it.
    fn whole(&mut self, nth: usize) -> Outcome {
        let handle = self.handles[nth % self.handles.len()].clone();
        self.model.spaces(&handle.namespaces(), Trouble::Never)?;
        let mut spaces: Vec<_> = self.named.iter().map(Key::namespace).collect();
        spaces.dedup();
        for namespace in spaces {
            let prefix = namespace.everything();
            let limit = LIMITS[nth % LIMITS.len()];
            let flat = handle.walk(&prefix, Depth::All, limit)?;
            self.model.walked(&prefix, Depth::All, &flat)?;
            let children = handle.walk(&prefix, Depth::Children, limit)?;
            self.model.walked(&prefix, Depth::Children, &children)?;
        }
        for key in self.named.clone() {
            self.read(&handle, &key)?;
        }
        Ok(())
    }
}

impl Op {
    /// The keys an operation names.
    pub(crate) fn keys(&self) -> Vec<Key> {
        match self {
            Self::Apply { steps, .. } => {
                steps.iter().flatten().map(|edit| edit.key.clone()).collect()
            }
            Self::Get { key, .. } | Self::Stat { key, .. } => vec![key.clone()],
            Self::List { .. } | Self::Walk { .. } | Self::Namespaces { .. } | Self::Reopen => {
                Vec::new()
            }
        }
    }
}

/// The lengths of pages in which everything is listed, in turns.
const LIMITS: [usize; 5] = [1000, 1, 2, 3, 5];

/// Runs the programs that failed before.
fn replay_kept(bench: &Bench, mix: Mix) -> Outcome {
    let Some(path) = &bench.regressions else { return Ok(()) };
    let Ok(text) = fs::read_to_string(path) else { return Ok(()) };
    for program in text.split("\n\n").filter(|program| !program.trim().is_empty()) {
        let program = Program::parse(program)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        let mix = Mix { handles: 2, ..mix };
        run_looking(bench, mix, &program, &mut Coverage::default(), Looks::All).map_err(
            |failure| Failure {
                program: Some(program.to_string()),
                ..failure.during(format!("a program of {} that failed before", path.display()))
            },
        )?;
    }
    Ok(())
}

/// Keeps a program that failed, so that it is run first from now on. What became of it, as a remark.
fn keep(bench: &Bench, program: &Program) -> String {
    let Some(path) = &bench.regressions else { return String::new() };
    match keep_in(path, program) {
        Ok(()) => format!("# kept in {}, and run first from now on\n", path.display()),
        // A read-only checkout still gets the program in the failure's text.
        Err(error) => format!("# could not be kept in {}: {error}\n", path.display()),
    }
}

fn keep_in(path: &Path, program: &Program) -> io::Result<()> {
    let kept = fs::read_to_string(path).unwrap_or_else(|_| {
        "# Programs that failed once, smallest form; they are run before any others. Keep this file.\n\n"
            .into()
    });
    let text = program.to_string();
    if kept.contains(&text) {
        return Ok(());
    }
    let mut kept = kept;
    let _ = writeln!(kept, "{text}");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, kept)
}

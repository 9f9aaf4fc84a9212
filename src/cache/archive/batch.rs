//! Batches: several operations on one archive, all of them or as many as succeed. Pure.

use super::draft::Draft;
use super::pattern::Pattern;
use super::{ArchiveLimits, Refusal, member_name, shown};
use crate::cache::document::{Document, Writer};

/// What patterns may cost in one batch, in steps: about a second.
const MAX_PATTERN_STEPS: usize = 1 << 30;

/// Operations on an archive, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRequest {
    /// Whether the first operation that fails undoes those before it.
    pub atomic: bool,
    /// The operations.
    pub operations: Vec<Operation>,
}

/// One operation. What its action does not need is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operation {
    /// What to do.
    pub action: Option<Action>,
    /// The member, cleaned as a path and not empty.
    pub path: Option<String>,
    /// The new content.
    pub content: Option<String>,
    /// The new name, cleaned as a path and not empty.
    pub new_path: Option<String>,
    /// When to do it.
    pub condition: Condition,
    /// Which members to remove, instead of the one of `path`.
    pub pattern: Option<Pattern>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Known for compatibility; fails.
    List,
    /// Known for compatibility; fails.
    Get,
    /// Appends a member.
    Add,
    /// Removes members.
    Remove,
    /// Replaces a member, or creates it.
    Replace,
    /// Gives a member another name.
    Rename,
}

impl Action {
    /// All of them, in the order upstream names them.
    pub const ALL: [Self; 6] =
        [Self::List, Self::Get, Self::Add, Self::Remove, Self::Replace, Self::Rename];

    /// The name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Rename => "rename",
        }
    }
}

/// When an operation is carried out. One that is not counts as applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// When there is such a member.
    IfExists,
    /// When there is none.
    IfNotExists,
}

impl Condition {
    /// All of them, in the order upstream names them.
    pub const ALL: [Self; 3] = [Self::Always, Self::IfExists, Self::IfNotExists];

    /// The name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::IfExists => "if_exists",
            Self::IfNotExists => "if_not_exists",
        }
    }
}

/// What came of the operations so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) applied: usize,
    pub(super) results: Vec<OperationResult>,
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) modified: Vec<String>,
    /// Why an atomic batch was given up.
    pub(super) given_up: Option<String>,
}

impl Progress {
    pub(super) fn failed(&self) -> usize {
        self.results.len() - self.applied
    }
}

/// What came of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OperationResult {
    action: Option<Action>,
    path: String,
    error: Option<String>,
}

impl Document for OperationResult {
    fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.name("action").string_or_null(self.action.map(Action::name));
            json.name("path").string(&self.path);
            json.name("success").bool(self.error.is_none());
            json.name("error").string(self.error.as_deref().unwrap_or_default());
        });
    }
}

/// Why an operation failed.
enum Failed {
    /// There was nothing to do it to.
    Nothing,
    /// For another reason.
    Because(String),
}

/// Carries a batch out on a draft. A batch that breaks a limit is refused whole; everything else
/// that goes wrong is part of the progress.
pub(super) fn run<'a>(
    draft: &mut Draft<'a>,
    request: &'a BatchRequest,
    limits: &ArchiveLimits,
) -> Result<Progress, Refusal> {
    if request.operations.len() > limits.max_members {
        return Err(Refusal::TooManyOperations { limit: limits.max_members });
    }
    let mut batch = Batch { draft, limits, progress: Progress::default(), steps: 0 };
    for operation in &request.operations {
        let failed = batch.carry_out(operation)?.err();
        let error = failed.as_ref().map(|failed| match failed {
            Failed::Nothing => "Operation failed".to_owned(),
            Failed::Because(why) => shown(why),
        });
        let progress = &mut batch.progress;
        progress.applied += usize::from(error.is_none());
        let path = operation.path.clone().unwrap_or_default();
        progress.results.push(OperationResult { action: operation.action, path, error });
        if let (true, Some(failed)) = (request.atomic, failed) {
            progress.given_up = Some(match failed {
                Failed::Nothing => "Atomic batch failed".to_owned(),
                Failed::Because(why) => shown(&format!("Atomic batch failed: {why}")),
            });
            break;
        }
    }
    Ok(batch.progress)
}

struct Batch<'d, 'a> {
    draft: &'d mut Draft<'a>,
    limits: &'d ArchiveLimits,
    progress: Progress,
    steps: usize,
}

impl<'a> Batch<'_, 'a> {
    fn carry_out(&mut self, operation: &'a Operation) -> Result<Result<(), Failed>, Refusal> {
        let target = Target::of(operation);
        self.count(&target)?;
        if !self.is_due(operation) {
            return Ok(Ok(()));
        }
        match operation.action {
            Some(Action::Add) => self.add(operation),
            Some(Action::Remove) => Ok(self.remove(&target)),
            Some(Action::Replace) => self.replace(operation),
            Some(Action::Rename) => Ok(self.rename(operation)),
            Some(action @ (Action::List | Action::Get)) => {
                Ok(because(format!("Unknown action: {}", action.name())))
            }
            None => Ok(because("Unknown action: None".to_owned())),
        }
    }

    /// Upstream has no such limit; but patterns are the one thing here whose cost is a product.
    fn count(&mut self, target: &Target<'_>) -> Result<(), Refusal> {
        if let Target::Matching(pattern) = target {
            let names_bytes = self.draft.names().map(str::len).sum();
            self.steps = self.steps.saturating_add(pattern.steps(names_bytes));
            if self.steps > MAX_PATTERN_STEPS {
                return Err(Refusal::TooManyPatterns);
            }
        }
        Ok(())
    }

    /// Upstream: a condition asks for the path, also where a pattern says what to remove; without a
    /// path there is nothing to exist.
    fn is_due(&self, operation: &Operation) -> bool {
        let target = Target::of_path(operation);
        let exists = || self.draft.names().any(|name| target.is(name));
        match operation.condition {
            Condition::Always => true,
            Condition::IfExists => exists(),
            Condition::IfNotExists => !exists(),
        }
    }

    fn add(&mut self, operation: &'a Operation) -> Result<Result<(), Failed>, Refusal> {
        let (path, name, content) = match written(operation, "add") {
            Ok(written) => written,
            Err(failed) => return Ok(Err(failed)),
        };
        self.draft.add(name, content, self.limits)?;
        self.progress.added.push(path.to_owned());
        Ok(Ok(()))
    }

    fn replace(&mut self, operation: &'a Operation) -> Result<Result<(), Failed>, Refusal> {
        let (path, name, content) = match written(operation, "replace") {
            Ok(written) => written,
            Err(failed) => return Ok(Err(failed)),
        };
        self.draft.remove(|known| known == name);
        self.draft.add(name, content, self.limits)?;
        self.progress.modified.push(path.to_owned());
        Ok(Ok(()))
    }

    fn remove(&mut self, target: &Target<'_>) -> Result<(), Failed> {
        let removed = self.draft.remove(|name| target.is(name));
        if removed.is_empty() {
            return Err(Failed::Nothing);
        }
        self.progress.removed.extend(removed);
        Ok(())
    }

    fn rename(&mut self, operation: &'a Operation) -> Result<(), Failed> {
        let Some(to) = &operation.new_path else {
            return because("new_path required for rename operation".to_owned());
        };
        let Some(from) = &operation.path else {
            return because("path required for rename operation".to_owned());
        };
        let Some(name) = member_name(to) else {
            return because("new_path required for rename operation".to_owned());
        };
        if !self.draft.rename(from, name) {
            return because(format!("\"There is no item named '{from}' in the archive\""));
        }
        self.progress.modified.extend([from.clone(), to.clone()]);
        Ok(())
    }
}

/// Which members an operation is about.
enum Target<'a> {
    Named(&'a str),
    Matching(&'a Pattern),
    None,
}

impl<'a> Target<'a> {
    fn of(operation: &'a Operation) -> Self {
        match (operation.action, &operation.pattern) {
            (Some(Action::Remove), Some(pattern)) => Self::Matching(pattern),
            _ => Self::of_path(operation),
        }
    }

    fn of_path(operation: &'a Operation) -> Self {
        match (operation.action, &operation.path) {
            // What is written loses its leading slashes, so that is the name to look for.
            (Some(Action::Add | Action::Replace), Some(path)) => {
                member_name(path).map_or(Self::None, Self::Named)
            }
            (_, Some(path)) => Self::Named(path),
            (_, None) => Self::None,
        }
    }

    fn is(&self, name: &str) -> bool {
        match self {
            Self::Named(named) => *named == name,
            Self::Matching(pattern) => pattern.matches(name),
            Self::None => false,
        }
    }
}

/// The path, the member's name and the content of an operation that writes a member.
fn written<'a>(
    operation: &'a Operation,
    action: &str,
) -> Result<(&'a str, &'a str, &'a [u8]), Failed> {
    let named = operation.path.as_deref().and_then(|path| Some((path, member_name(path)?)));
    // Upstream: made a member called `None`.
    let (path, name) =
        named.ok_or_else(|| Failed::Because(format!("path required for {action} operation")))?;
    match operation.content.as_deref() {
        None | Some("") => {
            let why = format!("Content required for {action} operation on {path}");
            Err(Failed::Because(why))
        }
        Some(content) => Ok((path, name, content.as_bytes())),
    }
}

fn because(why: String) -> Result<(), Failed> {
    Err(Failed::Because(why))
}

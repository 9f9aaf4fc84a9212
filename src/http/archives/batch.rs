//! The body of a batch: first its shape, then the names in it, the two rounds of every request.

use crate::cache::archive::{Action, BatchRequest, Condition, Operation, Pattern};
use crate::cache::ident::{self, CacheId, Strategy};
use crate::cache::pyjson::{Text, Value};
use crate::http::input::{Input, Step};
use crate::key::{InvalidName, Namespace};

/// A body of the right shape, whose names are not checked yet.
pub(super) struct Shaped<'b> {
    atomic: bool,
    cache_id: Option<&'b Text<'b>>,
    namespace: Option<&'b Text<'b>>,
    operations: Vec<ShapedOperation<'b>>,
}

struct ShapedOperation<'b> {
    action: Option<Action>,
    path: Option<&'b Text<'b>>,
    content: Option<&'b Text<'b>>,
    new_path: Option<&'b Text<'b>>,
    condition: Condition,
    pattern: Option<&'b Text<'b>>,
}

/// Whether a member may be `null`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Null {
    Allowed,
    Refused,
}

/// Reads the shape of a body. What is wrong with it is noted; the round is not ended yet.
pub(super) fn shape<'b>(input: &mut Input<'_>, body: &'b Value<'b>) -> Shaped<'b> {
    let mut body = Members { object: body, at: vec![Step::Name("body")], input };
    let atomic = body.flag("atomic", true);
    let cache_id = body.text("cache_id", Null::Allowed);
    let namespace = body.text("namespace", Null::Refused);
    body.one_of("strategy", &Strategy::ALL.map(|known| (known.name(), known)), Null::Allowed);
    let operations = body.operations();
    Shaped { atomic, cache_id, namespace, operations }
}

/// Cleans the names in a body. What is refused is noted; the round is not ended yet.
pub(super) fn cleaned(input: &mut Input<'_>, shaped: &Shaped<'_>) -> BatchRequest {
    // Upstream: these are checked and then ignored.
    if let Some(raw) = shaped.cache_id {
        let raw = raw.to_string_lossy();
        if !raw.is_empty() && CacheId::parse(&raw).is_none() {
            let msg = format!("in Random_Guid: value provided was not a Guid: {raw}");
            input.problem("value_error", &["body", "cache_id"], &msg, |json| json.string(&raw));
        }
    }
    if let Some(raw) = shaped.namespace {
        let at = [Step::Name("body"), Step::Name("namespace")];
        clean(input, &at, "Safe_Str__Id", raw, Namespace::clean);
    }
    let operations = shaped.operations.iter().enumerate();
    BatchRequest {
        atomic: shaped.atomic,
        operations: operations.map(|(index, raw)| operation(input, index, raw)).collect(),
    }
}

fn operation(input: &mut Input<'_>, index: usize, raw: &ShapedOperation<'_>) -> Operation {
    let at =
        |name| [Step::Name("body"), Step::Name("operations"), Step::Index(index), Step::Name(name)];
    let mut path = |name, raw: Option<&Text<'_>>| {
        let path = clean(input, &at(name), "Safe_Str__File__Path", raw?, ident::clean_path)?;
        Some(path).filter(|path| !path.is_empty())
    };
    let (path, new_path) = (path("path", raw.path), path("new_path", raw.new_path));
    let content = raw.content.and_then(|text| match text.as_str() {
        Some(content) => Some(content.to_owned()),
        None => {
            let msg = "text holds a lone surrogate, which cannot be encoded";
            let shown = text.to_string_lossy();
            input.problem_at("value_error", &at("content"), msg, |json| json.string(&shown));
            None
        }
    });
    let pattern = raw.pattern.and_then(|text| {
        clean(input, &at("pattern"), "Safe_Str__Text", text, Pattern::clean).flatten()
    });
    let ShapedOperation { action, condition, .. } = *raw;
    Operation { action, path, content, new_path, condition, pattern }
}

fn clean<T>(
    input: &mut Input<'_>,
    at: &[Step<'_>],
    class: &str,
    raw: &Text<'_>,
    clean: impl Fn(&str) -> Result<T, InvalidName>,
) -> Option<T> {
    let raw = raw.to_string_lossy();
    match clean(&raw) {
        Ok(cleaned) => Some(cleaned),
        Err(error) => {
            let msg = format!("in {class}, {error}");
            input.problem_at("value_error", at, &msg, |json| json.string(&raw));
            None
        }
    }
}

/// The members of an object somewhere in the body. Those that are not asked for are ignored.
struct Members<'m, 'c, 'b> {
    object: &'b Value<'b>,
    at: Vec<Step<'static>>,
    input: &'m mut Input<'c>,
}

impl<'b> Members<'_, '_, 'b> {
    fn member(&self, name: &str, null: Null) -> Option<&'b Value<'b>> {
        let value = self.object.get(name)?;
        (null == Null::Refused || *value != Value::Null).then_some(value)
    }

    fn problem(&mut self, kind: &str, name: &'static str, msg: &str, value: &Value<'_>) {
        let at = [self.at.as_slice(), &[Step::Name(name)]].concat();
        self.input.problem_at(kind, &at, msg, |json| json.value(value));
    }

    fn text(&mut self, name: &'static str, null: Null) -> Option<&'b Text<'b>> {
        match self.member(name, null)? {
            Value::Str(text) => Some(text),
            other => {
                self.problem("string_type", name, "Input should be a valid string", other);
                None
            }
        }
    }

    /// Upstream takes content as bytes, which in JSON are the text of a string.
    fn content(&mut self) -> Option<&'b Text<'b>> {
        match self.member("content", Null::Allowed)? {
            Value::Str(text) => Some(text),
            other => {
                self.problem("bytes_type", "content", "Input should be a valid bytes", other);
                None
            }
        }
    }

    fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        known: &[(&str, T)],
        null: Null,
    ) -> Option<T> {
        let value = self.member(name, null)?;
        let text = if let Value::Str(text) = value { text.as_str() } else { None };
        let found = known.iter().find(|(known, _)| Some(*known) == text);
        if found.is_none() {
            let at = [self.at.as_slice(), &[Step::Name(name)]].concat();
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.input.unknown_at(&at, &names, |json| json.value(value));
        }
        found.map(|(_, known)| *known)
    }

    /// A truth value, or what upstream takes for one: a few words, 0 and 1.
    fn flag(&mut self, name: &'static str, default: bool) -> bool {
        let Some(value) = self.member(name, Null::Refused) else { return default };
        let word = match value {
            Value::Bool(truth) => return *truth,
            Value::Int(digits) => digits.to_string(),
            Value::Float(0.0) => return false,
            Value::Float(1.0) => return true,
            Value::Str(text) => text.to_string_lossy().to_ascii_lowercase(),
            Value::Float(_) | Value::Null | Value::List(_) | Value::Object(_) => {
                self.problem("bool_type", name, "Input should be a valid boolean", value);
                return default;
            }
        };
        match word.as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => true,
            "false" | "0" | "no" | "off" | "f" | "n" => false,
            _ => {
                let msg = "Input should be a valid boolean, unable to interpret input";
                self.problem("bool_parsing", name, msg, value);
                default
            }
        }
    }

    fn operations(&mut self) -> Vec<ShapedOperation<'b>> {
        let items = match self.member("operations", Null::Refused) {
            None => return Vec::new(),
            Some(Value::List(items)) => items,
            Some(other) => {
                self.problem("list_type", "operations", "Input should be a valid list", other);
                return Vec::new();
            }
        };
        items.iter().enumerate().filter_map(|(index, item)| self.operation(index, item)).collect()
    }

    fn operation(&mut self, index: usize, item: &'b Value<'b>) -> Option<ShapedOperation<'b>> {
        let at = vec![Step::Name("body"), Step::Name("operations"), Step::Index(index)];
        if !matches!(item, Value::Object(_)) {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            self.input.problem_at("model_attributes_type", &at, msg, |json| json.value(item));
            return None;
        }
        let mut item = Members { object: item, at, input: self.input };
        let action =
            item.one_of("action", &Action::ALL.map(|known| (known.name(), known)), Null::Allowed);
        let path = item.text("path", Null::Allowed);
        let content = item.content();
        let new_path = item.text("new_path", Null::Allowed);
        let condition = item.one_of(
            "condition",
            &Condition::ALL.map(|known| (known.name(), known)),
            Null::Refused,
        );
        let pattern = item.text("pattern", Null::Allowed);
        let condition = condition.unwrap_or_default();
        Some(ShapedOperation { action, path, content, new_path, condition, pattern })
    }
}

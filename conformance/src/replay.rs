//! Programs as text: what failures print, what is kept of them, and how they are read back.
//!
//! One operation a line, words separated by blanks; names are written `namespace:path` with `%`,
//! blanks and control characters as `%XX`. Kept files hold programs separated by empty lines; lines
//! that start with `#` are remarks.

use std::fmt::{self, Write as _};

use larder::key::{Key, Namespace, Prefix, RelPath};
use larder::storage::{Cursor, Depth};

use crate::ops::{Edit, Guard, Op, Program, Value};

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| writeln!(f, "{op}"))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply { on, namespace, steps } => {
                write!(f, "apply {on} {namespace}:")?;
                for (nth, step) in steps.iter().enumerate() {
                    if nth > 0 {
                        f.write_str(" then")?;
                    }
                    for Edit { key, value, guard } in step {
                        match value {
                            Some(Value { kind, len, mark }) => {
                                write!(f, " put {} {kind}/{len}/{mark}", key_text(key))?;
                            }
                            None => write!(f, " delete {}", key_text(key))?,
                        }
                        write!(f, " {}", guard_text(guard))?;
                    }
                }
                Ok(())
            }
            Self::Get { on, key } => write!(f, "get {on} {}", key_text(key)),
            Self::Stat { on, key } => write!(f, "stat {on} {}", key_text(key)),
            Self::List { on, prefix, depth, after, limit } => {
                let after = match after {
                    None => "-".into(),
                    Some(Cursor::Key(key)) => format!("key={}", key_text(key)),
                    Some(Cursor::Folder(folder)) => format!("folder={}", prefix_text(folder)),
                };
                let prefix = prefix_text(prefix);
                write!(f, "list {on} {prefix} {} {after} {limit}", depth_text(*depth))
            }
            Self::Walk { on, prefix, depth, limit } => {
                write!(f, "walk {on} {} {} {limit}", prefix_text(prefix), depth_text(*depth))
            }
            Self::Namespaces { on } => write!(f, "namespaces {on}"),
            Self::Reopen => f.write_str("reopen"),
        }
    }
}

impl Program {
    /// Reads a program back. Lines that make no sense are an error, not a shorter program.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let ops = lines.map(|line| parse_op(line).ok_or_else(|| format!("not an operation: {line}")));
        ops.collect::<Result<_, _>>().map(Self)
    }
}

fn parse_op(line: &str) -> Option<Op> {
    let mut words = line.split_ascii_whitespace();
    let op = match words.next()? {
        "apply" => {
            let on = words.next()?.parse().ok()?;
            let namespace = parse_space(words.next()?.strip_suffix(':')?)?;
            let mut steps = vec![Vec::new()];
            while let Some(word) = words.next() {
                let value = match word {
                    "then" => {
                        steps.push(Vec::new());
                        continue;
                    }
                    "put" => true,
                    "delete" => false,
                    _ => return None,
                };
                let key = parse_key(words.next()?)?;
                let value = if value { Some(parse_value(words.next()?)?) } else { None };
                let guard = parse_guard(words.next()?)?;
                steps.last_mut()?.push(Edit { key, value, guard });
            }
            Op::Apply { on, namespace, steps }
        }
        "get" => Op::Get { on: words.next()?.parse().ok()?, key: parse_key(words.next()?)? },
        "stat" => Op::Stat { on: words.next()?.parse().ok()?, key: parse_key(words.next()?)? },
        "list" => Op::List {
            on: words.next()?.parse().ok()?,
            prefix: parse_prefix(words.next()?)?,
            depth: parse_depth(words.next()?)?,
            after: match words.next()? {
                "-" => None,
                word => Some(match word.split_once('=')? {
                    ("key", key) => Cursor::Key(parse_key(key)?),
                    ("folder", folder) => Cursor::Folder(parse_prefix(folder)?),
                    _ => return None,
                }),
            },
            limit: words.next()?.parse().ok()?,
        },
        "walk" => Op::Walk {
            on: words.next()?.parse().ok()?,
            prefix: parse_prefix(words.next()?)?,
            depth: parse_depth(words.next()?)?,
            limit: words.next()?.parse().ok()?,
        },
        "namespaces" => Op::Namespaces { on: words.next()?.parse().ok()? },
        "reopen" => Op::Reopen,
        _ => return None,
    };
    words.next().is_none().then_some(op)
}

pub(crate) fn key_text(key: &Key) -> String {
    format!("{}:{}", key.namespace_str(), escape(key.path()))
}

fn prefix_text(prefix: &Prefix) -> String {
    let all = prefix.namespace().everything();
    let folder = prefix.as_str().strip_prefix(all.as_str()).unwrap_or_default();
    format!("{}:{}", prefix.namespace(), escape(folder.trim_end_matches('/')))
}

fn guard_text(guard: &Guard) -> String {
    match guard {
        Guard::Any => "any".into(),
        Guard::Absent => "absent".into(),
        Guard::Current => "current".into(),
        Guard::Stale => "stale".into(),
        Guard::Garbage => "garbage".into(),
        Guard::Of(key) => format!("of={}", key_text(key)),
    }
}

fn depth_text(depth: Depth) -> &'static str {
    match depth {
        Depth::All => "all",
        Depth::Children => "children",
    }
}

fn parse_space(name: &str) -> Option<Namespace> {
    if name.is_empty() { Some(Namespace::root()) } else { Namespace::parse(name) }
}

pub(crate) fn parse_key(word: &str) -> Option<Key> {
    let (namespace, path) = word.split_once(':')?;
    parse_space(namespace)?.key(RelPath::parse(&unescape(path)?).ok()?).ok()
}

fn parse_prefix(word: &str) -> Option<Prefix> {
    let (namespace, path) = word.split_once(':')?;
    let namespace = parse_space(namespace)?;
    if path.is_empty() {
        return Some(namespace.everything());
    }
    Some(namespace.under(RelPath::parse(&unescape(path)?).ok()?))
}

fn parse_value(word: &str) -> Option<Value> {
    let mut parts = word.split('/');
    let value = Value {
        kind: parts.next()?.parse().ok()?,
        len: parts.next()?.parse().ok()?,
        mark: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(value)
}

fn parse_guard(word: &str) -> Option<Guard> {
    Some(match word {
        "any" => Guard::Any,
        "absent" => Guard::Absent,
        "current" => Guard::Current,
        "stale" => Guard::Stale,
        "garbage" => Guard::Garbage,
        other => Guard::Of(parse_key(other.strip_prefix("of=")?)?),
    })
}

fn parse_depth(word: &str) -> Option<Depth> {
    match word {
        "all" => Some(Depth::All),
        "children" => Some(Depth::Children),
        _ => None,
    }
}

/// Escapes what would break a line into the wrong words, or could not be seen in it.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c == '%' || c.is_whitespace() || c.is_control() || c == '\u{301}' {
            for byte in c.to_string().bytes() {
                let _ = write!(escaped, "%{byte:02X}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::ops::{Mix, Program, programs};

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn programs_read_back_as_written(program in programs(Mix {
            namespaces: (0, 4), handles: 2, reopen: true, longest: 20, key_bytes: 1024, value_bytes: 9999,
        })) {
            prop_assert_eq!(Program::parse(&program.to_string()), Ok(program));
        }
    }
}

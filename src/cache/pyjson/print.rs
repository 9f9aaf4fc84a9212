//! Writing: the four forms of JSON that the reference service prints.

use super::Value;
use super::float::finite_repr;
use super::scan;
use super::text::{Piece, Text};

/// What the writers append to: a [`String`], or a byte vector that holds UTF-8 text.
pub trait Output: sealed::Sealed {}

impl Output for String {}
impl Output for Vec<u8> {}

/// Appends the text that is hashed, as `json.dumps(value, sort_keys=True)` writes it.
///
/// All keys at every depth in code point order, `", "` and `": "`, only ASCII. `NaN`, `Infinity`
/// and `-Infinity` are written so. This is the canonical text of the reference service's hashing
/// rules: one character more or less and every hash changes.
pub fn write_canonical(out: &mut impl Output, value: &Value<'_>) {
    print(out, value, Style { sorted: true, ..Style::PYTHON });
}

/// Appends `json.dumps(value)`: as [`write_canonical`], but keys keep their order.
pub fn write_python(out: &mut impl Output, value: &Value<'_>) {
    print(out, value, Style::PYTHON);
}

/// Appends `json.dumps(value, indent=indent)`: only ASCII, every item on a line of its own,
/// `indent` spaces for each level, no line feed at the end. Empty lists and objects are `[]`, `{}`.
///
/// The text can be longer than the value by as many spaces for each item as it is deep inside.
pub fn write_pretty(out: &mut impl Output, value: &Value<'_>, indent: usize) {
    let style = Style { comma: ",", indent: Some(indent), ..Style::PYTHON };
    print(out, value, style);
}

/// How much longer [`write_pretty`] makes the text of a value than [`write_compact`] does, where both
/// escape the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WhiteSpace {
    /// Bytes of line feeds and indents. They can be many times the value: each item costs as many
    /// spaces as it is deep inside.
    pub lines: usize,
    /// Spaces behind colons.
    pub colons: usize,
}

impl WhiteSpace {
    /// Counts what [`write_pretty`] would write.
    #[must_use]
    pub fn of(value: &Value<'_>, indent: usize) -> Self {
        let mut total = Self::default();
        let mut open = vec![(value, 0_usize)];
        let holds = |value: &Value<'_>| matches!(value, Value::List(_) | Value::Object(_));
        while let Some((value, depth)) = open.pop() {
            let inside = depth + 1;
            let items = match value {
                Value::List(items) => {
                    open.extend(items.iter().filter(|item| holds(item)).map(|item| (item, inside)));
                    items.len()
                }
                Value::Object(members) => {
                    let values = members.iter().map(|(_, member)| member);
                    open.extend(values.filter(|member| holds(member)).map(|of| (of, inside)));
                    total.colons += members.len();
                    members.len()
                }
                _ => continue,
            };
            if items > 0 {
                total.lines += items * (1 + indent * inside) + 1 + indent * depth;
            }
        }
        total
    }
}

/// Appends the text that is served: no white space, characters as UTF-8 rather than escapes.
///
/// Only `"`, `\` and what is below U+0020 is escaped. Every reader must be able to take it, so
/// numbers that are not finite become `null` and lone surrogates U+FFFD. (Upstream: storing them
/// works, serving them fails.) Returns whether that was not needed, so that the text says it all.
pub fn write_compact(out: &mut impl Output, value: &Value<'_>) -> bool {
    print(out, value, Style::COMPACT)
}

/// Appends a string in quotes, everything but printable ASCII escaped.
pub fn write_ascii_string(out: &mut impl Output, text: &str) {
    if scan::plain_ascii(text.as_bytes()) == text.len() {
        return out.push_quoted(text);
    }
    out.push_str("\"");
    push_ascii(out, text);
    out.push_str("\"");
}

/// Appends a string in quotes, escaping only `"`, `\` and what is below U+0020.
pub fn write_utf8_string(out: &mut impl Output, text: &str) {
    if scan::plain(text.as_bytes()) == text.len() {
        return out.push_quoted(text);
    }
    out.push_str("\"");
    push_utf8(out, text);
    out.push_str("\"");
}

/// As [`write_ascii_string`], lone surrogates being escaped like other characters.
pub(super) fn write_ascii_text(out: &mut impl Output, text: &Text<'_>) {
    if let Some(text) = text.as_str() {
        return write_ascii_string(out, text);
    }
    out.push_str("\"");
    text.each_piece(|piece| match piece {
        Piece::Str(text) => push_ascii(out, text),
        Piece::Surrogate(unit) => push_hex_escape(out, unit),
    });
    out.push_str("\"");
}

mod sealed {
    pub trait Sealed {
        fn push_str(&mut self, text: &str);
        fn push_ascii_byte(&mut self, byte: u8);
        /// Appends a text between quotes, as it is.
        fn push_quoted(&mut self, text: &str);
    }

    impl Sealed for String {
        #[inline]
        fn push_str(&mut self, text: &str) {
            String::push_str(self, text);
        }

        #[inline]
        fn push_ascii_byte(&mut self, byte: u8) {
            self.push(char::from(byte));
        }

        #[inline]
        fn push_quoted(&mut self, text: &str) {
            self.reserve(text.len() + 2);
            self.push('"');
            String::push_str(self, text);
            self.push('"');
        }
    }

    impl Sealed for Vec<u8> {
        #[inline]
        fn push_str(&mut self, text: &str) {
            self.extend_from_slice(text.as_bytes());
        }

        #[inline]
        fn push_ascii_byte(&mut self, byte: u8) {
            self.push(byte);
        }

        #[inline]
        fn push_quoted(&mut self, text: &str) {
            self.reserve(text.len() + 2);
            self.push(b'"');
            self.extend_from_slice(text.as_bytes());
            self.push(b'"');
        }
    }
}

#[derive(Clone, Copy)]
struct Style {
    sorted: bool,
    /// Escape what is not ASCII, and print what only Python understands.
    python: bool,
    comma: &'static str,
    colon: &'static str,
    /// Put items on lines of their own, with this many spaces for each level.
    indent: Option<usize>,
}

impl Style {
    const PYTHON: Style =
        Style { sorted: false, python: true, comma: ", ", colon: ": ", indent: None };
    const COMPACT: Style = Style { python: false, comma: ",", colon: ":", ..Style::PYTHON };
}

/// Returns whether the text says all that the value does.
fn print(out: &mut impl Output, value: &Value<'_>, style: Style) -> bool {
    let mut printer = Printer { out, style, depth: 0, lossless: true, sorting: Vec::new() };
    printer.value(value);
    printer.lossless
}

type Member<'v> = (Text<'v>, Value<'v>);

struct Printer<'v, 'o, O> {
    out: &'o mut O,
    style: Style,
    depth: usize,
    lossless: bool,
    /// The members of the objects being printed, in order, with the heads of their names; each object
    /// uses its end of it.
    sorting: Vec<(u64, &'v Member<'v>)>,
}

// The functions that call each other for every level of nesting are kept small, and apart from
// those that have locals: a thousand levels must fit on a thread's stack in an unoptimised build.
impl<'v, O: Output> Printer<'v, '_, O> {
    fn value(&mut self, value: &'v Value<'v>) {
        match value {
            Value::List(items) => self.list(items),
            Value::Object(members) => self.object(members),
            Value::Null => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Int(digits) => self.out.push_str(digits),
            Value::Float(number) => self.float(*number),
            Value::Str(text) => self.text(text),
        }
    }

    fn list(&mut self, items: &'v [Value<'v>]) {
        self.open("[");
        for (index, item) in items.iter().enumerate() {
            self.separate(index);
            self.value(item);
        }
        self.close("]", items.is_empty());
    }

    fn object(&mut self, members: &'v [Member<'v>]) {
        self.open("{");
        if self.style.sorted && !members.is_sorted_by_key(|(name, _)| name) {
            self.sorted_members(members);
        } else {
            for (index, member) in members.iter().enumerate() {
                self.member(index, member);
            }
        }
        self.close("}", members.is_empty());
    }

    fn sorted_members(&mut self, members: &'v [Member<'v>]) {
        let start = self.sorting.len();
        self.sorting.extend(members.iter().map(|member| (member.0.head(), member)));
        self.sorting[start..].sort_unstable_by(|one, other| {
            one.0.cmp(&other.0).then_with(|| one.1.0.cmp(&other.1.0))
        });
        for index in 0..members.len() {
            self.member(index, self.sorting[start + index].1);
        }
        self.sorting.truncate(start);
    }

    fn member(&mut self, index: usize, member: &'v Member<'v>) {
        self.separate(index);
        self.text(&member.0);
        self.out.push_str(self.style.colon);
        self.value(&member.1);
    }

    fn open(&mut self, bracket: &str) {
        self.out.push_str(bracket);
        self.depth += 1;
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(self.style.comma);
        }
        self.line();
    }

    fn close(&mut self, bracket: &str, empty: bool) {
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push_str(bracket);
    }

    fn line(&mut self) {
        const SPACES: &str = "                                                                ";
        let Some(indent) = self.style.indent else {
            return;
        };
        self.out.push_str("\n");
        let mut missing = indent.saturating_mul(self.depth);
        while missing > 0 {
            let now = missing.min(SPACES.len());
            self.out.push_str(&SPACES[..now]);
            missing -= now;
        }
    }

    fn text(&mut self, text: &Text<'_>) {
        if let Some(plain) = text.as_plain() {
            return self.out.push_quoted(plain);
        }
        if self.style.python {
            return write_ascii_text(self.out, text);
        }
        match text.as_str() {
            Some(text) => write_utf8_string(self.out, text),
            None => {
                self.lossless = false;
                write_utf8_string(self.out, &text.to_string_lossy());
            }
        }
    }

    fn float(&mut self, number: f64) {
        if number.is_finite() {
            self.out.push_str(finite_repr(number).as_str());
        } else if !self.style.python {
            self.lossless = false;
            self.out.push_str("null");
        } else if number.is_nan() {
            self.out.push_str("NaN");
        } else {
            self.out.push_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
        }
    }
}

fn push_ascii(out: &mut impl Output, text: &str) {
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(scan::plain_ascii(rest.as_bytes()));
        out.push_str(plain);
        let mut characters = special.chars();
        let Some(character) = characters.next() else {
            return;
        };
        push_escape(out, character);
        rest = characters.as_str();
    }
}

fn push_utf8(out: &mut impl Output, text: &str) {
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(scan::plain(rest.as_bytes()));
        out.push_str(plain);
        let mut characters = special.chars();
        let Some(character) = characters.next() else {
            return;
        };
        push_escape(out, character);
        rest = characters.as_str();
    }
}

fn push_escape(out: &mut impl Output, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                push_hex_escape(out, *unit);
            }
        }
    }
}

fn push_hex_escape(out: &mut impl Output, unit: u16) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        let digit = usize::from(unit >> shift & 0xf);
        out.push_ascii_byte(b"0123456789abcdef"[digit]);
    }
}

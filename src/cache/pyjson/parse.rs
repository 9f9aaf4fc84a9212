//! Reading: what Python's `json.loads` accepts, with its error texts and positions.
//!
//! The parser keeps its own stack of open lists and objects, so that deep nesting costs heap and
//! not thread stack.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use super::Value;
use super::scan;
use super::text::{self, Text};

/// How many lists and objects may lie inside each other.
///
/// The reference service fails somewhere between 950, which clients rely on, and 1500.
pub const MAX_DEPTH: usize = 1000;

/// How many digits an integer may have: Python's own limit.
pub const MAX_INT_DIGITS: usize = 4300;

/// Why a document was refused. The reference service answers the two kinds differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// Not text in the encoding it seems to have (raw surrogates are not text), nested deeper than
    /// [`MAX_DEPTH`], or with an integer of more than [`MAX_INT_DIGITS`] digits.
    Unreadable,
    /// Not JSON.
    Syntax {
        /// Where the trouble is, in characters from the start, a byte order mark not counted.
        position: usize,
        /// What the trouble is, in Python's words, such as `Expecting value`.
        message: &'static str,
    },
}

/// Reads a document as `json.loads(body)` does.
///
/// The text is UTF-8 (with or without a byte order mark), UTF-16 or UTF-32 (either byte order,
/// with or without a mark; without one, told by where the first zero bytes are). UTF-8 is borrowed
/// from, anything else copied. Of duplicate keys the last value is kept, at the place of the first.
///
/// One difference on purpose: surrogates encoded directly, which no conforming encoder writes, are
/// refused. As an escape (`\ud800`) they are accepted.
///
/// # Errors
///
/// See [`ParseError`]. Problems are reported in the order a reader meets them, except that a
/// document in a broken encoding is not looked at further.
pub fn parse(body: &[u8]) -> Result<Value<'_>, ParseError> {
    match decode(body).ok_or(ParseError::Unreadable)? {
        Cow::Borrowed(text) => Parser::new(text).document(),
        Cow::Owned(text) => Ok(Parser::new(&text).document()?.into_owned()),
    }
}

/// Reads a document as `json.loads(text)` does, with no guessing of encodings.
///
/// For text that was decoded before, where [`parse`] might take a zero byte for a sign of UTF-16.
///
/// # Errors
///
/// As for [`parse`]; a byte order mark is a syntax error here.
pub fn parse_str(text: &str) -> Result<Value<'_>, ParseError> {
    if text.starts_with('\u{feff}') {
        return Err(ParseError::Syntax {
            position: 0,
            message: "Unexpected UTF-8 BOM (decode using utf-8-sig)",
        });
    }
    Parser::new(text).document()
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::Unreadable => write!(
                f,
                "not valid Unicode, nested deeper than {MAX_DEPTH} levels, \
                 or an integer of more than {MAX_INT_DIGITS} digits"
            ),
            ParseError::Syntax { position, message } => write!(f, "{message} (char {position})"),
        }
    }
}

impl std::error::Error for ParseError {}

/// The text without its byte order mark, or `None` if it is not valid in its encoding.
fn decode(body: &[u8]) -> Option<Cow<'_, str>> {
    // The longer marks come first: UTF-32 little endian starts like UTF-16 little endian.
    if let Some(rest) = body.strip_prefix(b"\0\0\xfe\xff") {
        decode_utf32(rest, u32::from_be_bytes)
    } else if let Some(rest) = body.strip_prefix(b"\xff\xfe\0\0") {
        decode_utf32(rest, u32::from_le_bytes)
    } else if let Some(rest) = body.strip_prefix(b"\xfe\xff") {
        decode_utf16(rest, u16::from_be_bytes)
    } else if let Some(rest) = body.strip_prefix(b"\xff\xfe") {
        decode_utf16(rest, u16::from_le_bytes)
    } else if let Some(rest) = body.strip_prefix(b"\xef\xbb\xbf") {
        str::from_utf8(rest).ok().map(Cow::Borrowed)
    } else {
        // Every document starts with ASCII characters, whose other bytes are zero.
        match body {
            [0, 0, _, _, ..] => decode_utf32(body, u32::from_be_bytes),
            [0, _, _, _, ..] | [0, _] => decode_utf16(body, u16::from_be_bytes),
            [_, 0, 0, 0, ..] => decode_utf32(body, u32::from_le_bytes),
            [_, 0, _, _, ..] | [_, 0] => decode_utf16(body, u16::from_le_bytes),
            _ => str::from_utf8(body).ok().map(Cow::Borrowed),
        }
    }
}

fn decode_utf16(body: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'_, str>> {
    let (units, rest) = body.as_chunks();
    let text: Result<String, _> =
        char::decode_utf16(units.iter().map(|&bytes| unit(bytes))).collect();
    text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
}

fn decode_utf32(body: &[u8], unit: fn([u8; 4]) -> u32) -> Option<Cow<'_, str>> {
    let (units, rest) = body.as_chunks();
    let text: Option<String> = units.iter().map(|&bytes| char::from_u32(unit(bytes))).collect();
    text.filter(|_| rest.is_empty()).map(Cow::Owned)
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The next byte to look at; always at the start of a character.
    at: usize,
}

/// A list or object whose end has not been read.
enum Open<'a> {
    List(Vec<Value<'a>>),
    /// The members so far, and the name of the one whose value comes next.
    Object(Members<'a>, Text<'a>),
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Parser { text, bytes: text.as_bytes(), at: 0 }
    }

    fn document(mut self) -> Result<Value<'a>, ParseError> {
        self.skip_space();
        let value = self.value()?;
        self.skip_space();
        if self.at < self.bytes.len() {
            return Err(self.error(self.at, "Extra data"));
        }
        Ok(value)
    }

    fn value(&mut self) -> Result<Value<'a>, ParseError> {
        let mut open: Vec<Open<'a>> = Vec::new();
        loop {
            let mut value = match self.peek() {
                Some(b'[') => {
                    self.enter(open.len())?;
                    if !self.take(b']') {
                        open.push(Open::List(Vec::new()));
                        continue;
                    }
                    Value::List(Vec::new())
                }
                Some(b'{') => {
                    self.enter(open.len())?;
                    if !self.take(b'}') {
                        let name = self.name()?;
                        open.push(Open::Object(Members::default(), name));
                        continue;
                    }
                    Value::Object(Vec::new())
                }
                _ => self.scalar()?,
            };
            // The value is complete, and perhaps the last of one or several that hold it.
            loop {
                let Some(holder) = open.last_mut() else {
                    return Ok(value);
                };
                holder.add(value);
                if self.goes_on(holder)? {
                    break;
                }
                value = open.pop().map_or(Value::Null, Open::close);
            }
        }
    }

    /// Steps over the opening bracket of a list or object inside `depth` others.
    fn enter(&mut self, depth: usize) -> Result<(), ParseError> {
        if depth == MAX_DEPTH {
            return Err(ParseError::Unreadable);
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Steps over what follows a value, up to the next value if there is one.
    fn goes_on(&mut self, holder: &mut Open<'a>) -> Result<bool, ParseError> {
        self.skip_space();
        let end = match holder {
            Open::List(_) => b']',
            Open::Object(..) => b'}',
        };
        if self.take(end) {
            return Ok(false);
        }
        if !self.take(b',') {
            return Err(self.error(self.at, "Expecting ',' delimiter"));
        }
        self.skip_space();
        if let Open::Object(_, next) = holder {
            *next = self.name()?;
        }
        Ok(true)
    }

    /// Reads the name of a member and steps up to its value.
    fn name(&mut self) -> Result<Text<'a>, ParseError> {
        if !self.take(b'"') {
            let message = "Expecting property name enclosed in double quotes";
            return Err(self.error(self.at, message));
        }
        let name = self.string()?;
        self.skip_space();
        if !self.take(b':') {
            return Err(self.error(self.at, "Expecting ':' delimiter"));
        }
        self.skip_space();
        Ok(name)
    }

    fn scalar(&mut self) -> Result<Value<'a>, ParseError> {
        let literals = match self.peek() {
            Some(b'"') => {
                self.at += 1;
                return self.string().map(Value::Str);
            }
            Some(b'0'..=b'9') => return self.number(),
            Some(b'-') if self.bytes.get(self.at + 1) != Some(&b'I') => return self.number(),
            Some(b'-') => ("-Infinity", Value::Float(f64::NEG_INFINITY)),
            Some(b'n') => ("null", Value::Null),
            Some(b't') => ("true", Value::Bool(true)),
            Some(b'f') => ("false", Value::Bool(false)),
            Some(b'N') => ("NaN", Value::Float(f64::NAN)),
            Some(b'I') => ("Infinity", Value::Float(f64::INFINITY)),
            _ => return Err(self.error(self.at, "Expecting value")),
        };
        let (literal, value) = literals;
        if !self.bytes[self.at..].starts_with(literal.as_bytes()) {
            return Err(self.error(self.at, "Expecting value"));
        }
        self.at += literal.len();
        Ok(value)
    }

    /// Reads a number as far as it is one: of `1.x` only the `1`, of `01` only the `0`. What is
    /// left over is for the caller to stumble upon, as in Python.
    fn number(&mut self) -> Result<Value<'a>, ParseError> {
        let start = self.at;
        let digits_start = start + usize::from(self.bytes[start] == b'-');
        let digits = match self.bytes.get(digits_start) {
            Some(b'0') => 1,
            _ => self.digits(digits_start),
        };
        if digits == 0 {
            return Err(self.error(start, "Expecting value"));
        }
        self.at = digits_start + digits;

        let mut is_float = false;
        if self.peek() == Some(b'.') {
            let decimals = self.digits(self.at + 1);
            if decimals > 0 {
                is_float = true;
                self.at += 1 + decimals;
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            let sign = matches!(self.bytes.get(self.at + 1), Some(b'+' | b'-'));
            let power_start = self.at + 1 + usize::from(sign);
            let power = self.digits(power_start);
            if power > 0 {
                is_float = true;
                self.at = power_start + power;
            }
        }

        let literal = &self.text[start..self.at];
        if is_float {
            let number = literal.parse();
            return number.map(Value::Float).map_err(|_| self.error(start, "Expecting value"));
        }
        if digits > MAX_INT_DIGITS {
            return Err(ParseError::Unreadable);
        }
        let canonical = if literal == "-0" { "0" } else { literal };
        Ok(Value::Int(Cow::Borrowed(canonical)))
    }

    /// Reads a string, its opening quote taken.
    fn string(&mut self) -> Result<Text<'a>, ParseError> {
        let start = self.at;
        self.at += scan::plain(&self.bytes[start..]);
        if self.peek() == Some(b'"') {
            let text = &self.text[start..self.at];
            self.at += 1;
            return Ok(Text::from(text));
        }
        self.string_with_escapes(start)
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<Text<'a>, ParseError> {
        let mut bytes = self.bytes[start..self.at].to_vec();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(start, &mut bytes)?,
                Some(_) => return Err(self.error(self.at, "Invalid control character at")),
                None => return Err(self.unterminated(start)),
            }
            let run = scan::plain(&self.bytes[self.at..]);
            bytes.extend_from_slice(&self.bytes[self.at..self.at + run]);
            self.at += run;
        }
        self.at += 1;
        Ok(Text::from_generalised_utf8(bytes))
    }

    /// Reads one escape, or two that make a surrogate pair, of the string that begins at `start`.
    fn escape(&mut self, start: usize, bytes: &mut Vec<u8>) -> Result<(), ParseError> {
        let backslash = self.at;
        let Some(&kind) = self.bytes.get(backslash + 1) else {
            return Err(self.unterminated(start));
        };
        self.at = backslash + 2;
        bytes.push(match kind {
            b'"' | b'\\' | b'/' => kind,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                push_code_point(bytes, self.unicode_escape(backslash)?);
                return Ok(());
            }
            _ => return Err(self.error(backslash, "Invalid \\escape")),
        });
        Ok(())
    }

    /// Reads the digits of the `\u` at `backslash`, and a second escape if the two are a pair.
    fn unicode_escape(&mut self, backslash: usize) -> Result<u32, ParseError> {
        let message = "Invalid \\uXXXX escape";
        let Some(first) = self.hex_digits(backslash + 2) else {
            return Err(self.error(backslash + 1, message));
        };
        self.at = backslash + 6;
        let is_high = (0xd800..0xdc00).contains(&first);
        if !is_high || !self.bytes[self.at..].starts_with(b"\\u") {
            return Ok(first);
        }
        let Some(second) = self.hex_digits(self.at + 2) else {
            return Err(self.error(self.at + 1, message));
        };
        if !(0xdc00..0xe000).contains(&second) {
            return Ok(first);
        }
        self.at += 6;
        Ok(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    /// The value of exactly four hex digits.
    fn hex_digits(&self, start: usize) -> Option<u32> {
        let digits = self.bytes.get(start..start + 4)?;
        digits
            .iter()
            .try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
    }

    /// The number of decimal digits from `start` on.
    fn digits(&self, start: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn unterminated(&self, start: usize) -> ParseError {
        self.error(start - 1, "Unterminated string starting at")
    }

    #[cold]
    fn error(&self, at: usize, message: &'static str) -> ParseError {
        let position = text::char_count(&self.bytes[..at]);
        ParseError::Syntax { position, message }
    }
}

impl<'a> Open<'a> {
    fn add(&mut self, value: Value<'a>) {
        match self {
            Open::List(items) => items.push(value),
            Open::Object(members, name) => members.insert(std::mem::take(name), value),
        }
    }

    fn close(self) -> Value<'a> {
        match self {
            Open::List(items) => Value::List(items),
            Open::Object(members, _) => Value::Object(members.list),
        }
    }
}

/// The members of an object, with a way to find an earlier one of the same name.
#[derive(Default)]
struct Members<'a> {
    list: Vec<(Text<'a>, Value<'a>)>,
    /// Where each name is, once there are too many to compare one by one.
    places: Option<Box<HashMap<Text<'a>, usize>>>,
}

impl<'a> Members<'a> {
    /// The size from which hashing wins; most objects stay below it and allocate nothing more.
    const MANY: usize = 16;

    fn insert(&mut self, name: Text<'a>, value: Value<'a>) {
        match self.place_of(&name) {
            Some(place) => self.list[place].1 = value,
            None => self.list.push((name, value)),
        }
    }

    /// Where the member of this name is; if there is none, it is expected to be added next.
    fn place_of(&mut self, name: &Text<'a>) -> Option<usize> {
        if self.list.len() < Self::MANY {
            return self.list.iter().position(|(known, _)| known == name);
        }
        let places = self.places.get_or_insert_with(|| {
            let names = self.list.iter().map(|(known, _)| known.clone());
            Box::new(names.zip(0..).collect())
        });
        match places.entry(name.clone()) {
            std::collections::hash_map::Entry::Occupied(known) => Some(*known.get()),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(self.list.len());
                None
            }
        }
    }
}

/// Appends a code point, surrogate or not, in generalised UTF-8.
fn push_code_point(bytes: &mut Vec<u8>, code_point: u32) {
    match char::from_u32(code_point) {
        Some(character) => {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        None => {
            let low_six = |shift: u32| 0x80 | (code_point >> shift & 0x3f) as u8;
            bytes.extend_from_slice(&[0xed, low_six(6), low_six(0)]);
        }
    }
}

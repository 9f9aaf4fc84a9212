//! Reading: what Python's `json.loads` accepts, with its error texts and positions.
//!
//! The parser keeps its own stack of open lists and objects, so that deep nesting costs heap and
//! not thread stack.

mod string;

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use super::Value;
use super::decode::decode;
use super::float::float_repr;
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

/// As [`parse`]; and tells whether the document is, byte for byte, what
/// [`write_compact`](super::write_compact) would write of it.
///
/// # Errors
///
/// See [`ParseError`].
pub fn parse_noting_form(body: &[u8]) -> Result<(Value<'_>, bool), ParseError> {
    match str::from_utf8(body) {
        // What starts so is text in every encoding that is guessed.
        Ok(text) if text.starts_with(['{', '[']) && !body[1..].starts_with(b"\0") => {
            let mut parser = Parser::new(text);
            let value = parser.document()?;
            Ok((value, parser.as_served))
        }
        _ => Ok((parse(body)?, false)),
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

/// Values and names go straight to where they stay until the end of what holds them, rather than
/// being handed from function to function: the copies saved are a fifth of the time.
struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The next byte to look at; always at the start of a character.
    at: usize,
    /// The lists and objects whose ends have not been read.
    open: Vec<Open<'a>>,
    /// The complete values in all of these.
    values: Vec<Value<'a>>,
    /// The names in those that are objects.
    names: Vec<Text<'a>>,
    /// Whether everything so far is written as it would be served.
    as_served: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Parser {
            text,
            bytes: text.as_bytes(),
            at: 0,
            // For documents of a kilobyte or two; scalars allocate hardly more than they did.
            open: Vec::with_capacity(4),
            values: Vec::with_capacity(16),
            names: Vec::with_capacity(16),
            as_served: true,
        }
    }

    fn document(&mut self) -> Result<Value<'a>, ParseError> {
        self.skip_space();
        self.value()?;
        self.skip_space();
        match self.values.pop() {
            Some(value) if self.at == self.bytes.len() => Ok(value),
            _ => Err(self.error(self.at, "Extra data")),
        }
    }

    /// Reads a value with all that is in it.
    fn value(&mut self) -> Result<(), ParseError> {
        loop {
            match self.peek() {
                Some(b'[') => {
                    self.enter(b']')?;
                    if self.peek() != Some(b']') {
                        continue;
                    }
                    self.leave();
                }
                Some(b'{') => {
                    self.enter(b'}')?;
                    if self.peek() != Some(b'}') {
                        self.name()?;
                        continue;
                    }
                    self.leave();
                }
                _ => self.scalar()?,
            }
            // That value is complete, and perhaps the last one of what holds it, and so on.
            loop {
                let Some(holder) = self.open.last_mut() else {
                    return Ok(());
                };
                if let Some(place) = holder.repeated.take() {
                    self.as_served = false;
                    self.values.swap_remove(holder.values + place);
                }
                let end = holder.end;
                self.skip_space();
                if self.peek() == Some(end) {
                    self.leave();
                    continue;
                }
                if !self.take(b',') {
                    return Err(self.error(self.at, "Expecting ',' delimiter"));
                }
                self.skip_space();
                if end == b'}' {
                    self.name()?;
                }
                break;
            }
        }
    }

    /// Steps over the opening bracket of a list or object that closes with `end`.
    fn enter(&mut self, end: u8) -> Result<(), ParseError> {
        if self.open.len() == MAX_DEPTH {
            return Err(ParseError::Unreadable);
        }
        self.open.push(Open {
            end,
            values: self.values.len(),
            names: self.names.len(),
            repeated: None,
            seen: 0,
            places: None,
        });
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Steps over the closing bracket of the innermost list or object, which is now a value.
    fn leave(&mut self) {
        let Some(closed) = self.open.pop() else {
            return;
        };
        self.at += 1;
        let values = self.values.drain(closed.values..);
        let value = if closed.end == b']' {
            Value::List(values.collect())
        } else {
            let names = self.names.drain(closed.names..);
            Value::Object(names.zip(values).collect())
        };
        self.values.push(value);
    }

    /// Reads the name of a member and steps up to its value.
    fn name(&mut self) -> Result<(), ParseError> {
        if !self.take(b'"') {
            let message = "Expecting property name enclosed in double quotes";
            return Err(self.error(self.at, message));
        }
        match self.plain_string() {
            Some(name) => self.push_name(name),
            None => {
                let name = self.string_with_escapes()?;
                self.push_name(name);
            }
        }
        self.skip_space();
        if !self.take(b':') {
            return Err(self.error(self.at, "Expecting ':' delimiter"));
        }
        self.skip_space();
        Ok(())
    }

    #[inline(always)]
    fn push_name(&mut self, name: Text<'a>) {
        if let Some(object) = self.open.last_mut() {
            object.repeated = object.place_of(&name, &self.names[object.names..]);
            if object.repeated.is_none() {
                self.names.push(name);
            }
        }
    }

    fn scalar(&mut self) -> Result<(), ParseError> {
        let (literal, value) = match self.peek() {
            Some(b'"') => {
                self.at += 1;
                match self.plain_string() {
                    Some(text) => self.values.push(Value::Str(text)),
                    None => {
                        let text = self.string_with_escapes()?;
                        self.values.push(Value::Str(text));
                    }
                }
                return Ok(());
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
        if !self.bytes[self.at..].starts_with(literal.as_bytes()) {
            return Err(self.error(self.at, "Expecting value"));
        }
        self.at += literal.len();
        self.as_served &= !matches!(value, Value::Float(_));
        self.values.push(value);
        Ok(())
    }

    /// Reads a number as far as it is one: of `1.x` only the `1`, of `01` only the `0`. What is
    /// left over is for the caller to stumble upon, as in Python.
    fn number(&mut self) -> Result<(), ParseError> {
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
            let number: f64 = match literal.parse() {
                Ok(number) => number,
                Err(_) => return Err(self.error(start, "Expecting value")),
            };
            self.as_served &= number.is_finite() && float_repr(number) == literal;
            self.values.push(Value::Float(number));
            return Ok(());
        }
        if digits > MAX_INT_DIGITS {
            return Err(ParseError::Unreadable);
        }
        let canonical = if literal == "-0" { "0" } else { literal };
        self.as_served &= canonical.len() == literal.len();
        self.values.push(Value::Int(Cow::Borrowed(canonical)));
        Ok(())
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
            self.as_served = false;
        }
    }

    #[cold]
    fn error(&self, at: usize, message: &'static str) -> ParseError {
        let position = text::char_count(&self.bytes[..at]);
        ParseError::Syntax { position, message }
    }
}

/// A list or object whose end has not been read.
struct Open<'a> {
    /// The bracket that ends it.
    end: u8,
    /// Where its values start.
    values: usize,
    /// Where its names start.
    names: usize,
    /// If the last name was not a new one: which one it was. Its value is to be replaced.
    repeated: Option<usize>,
    /// A bit for each kind of name there was, so that most new names need no search.
    seen: u64,
    /// Where each name is, once there are too many to compare one by one.
    places: Option<HashMap<Text<'a>, usize>>,
}

impl<'a> Open<'a> {
    /// The size from which hashing wins; most objects stay below it and allocate nothing more.
    const MANY: usize = 16;

    /// Where this name is among the `names` so far; if it is not there, it will be added to them.
    #[inline(always)]
    fn place_of(&mut self, name: &Text<'a>, names: &[Text<'a>]) -> Option<usize> {
        let kind = name.kind();
        if names.len() >= Self::MANY {
            return self.place_among_many(name.clone(), names);
        }
        if self.seen & kind == 0 {
            self.seen |= kind;
            return None;
        }
        names.iter().position(|known| known == name)
    }

    fn place_among_many(&mut self, name: Text<'a>, names: &[Text<'a>]) -> Option<usize> {
        let places = self.places.get_or_insert_with(|| names.iter().cloned().zip(0..).collect());
        match places.entry(name) {
            Entry::Occupied(place) => Some(*place.get()),
            Entry::Vacant(place) => {
                place.insert(names.len());
                None
            }
        }
    }
}

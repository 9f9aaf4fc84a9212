//! Reading JSON text.

use super::{Json, Malformed, Object};

/// Deeper documents are refused rather than read on a stack that may not hold them.
const MAX_DEPTH: usize = 256;

/// Reads one document that fills the whole text.
pub fn document(text: &str) -> Result<Json, Malformed> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return reader.fail("more text after the document");
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, problem: &str) -> Result<T, Malformed> {
        Err(Malformed(format!("{problem} at byte {}", self.at)))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Passes over `literal` if it comes next.
    fn take(&mut self, literal: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(literal.as_bytes());
        if found {
            self.at += literal.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, Malformed> {
        if depth > MAX_DEPTH {
            return self.fail("nesting too deep");
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("null") => Ok(Json::Null),
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ if self.take("NaN") => Ok(Json::Float(f64::NAN)),
            _ if self.take("Infinity") => Ok(Json::Float(f64::INFINITY)),
            _ => self.fail("no value"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Malformed> {
        let mut members = Object::default();
        self.at += 1;
        self.skip_space();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.fail("no key");
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(":") {
                return self.fail("no colon");
            }
            members.insert(key, self.value(depth + 1)?);
            self.skip_space();
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            if !self.take(",") {
                return self.fail("no comma or closing brace");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, Malformed> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take("]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take("]") {
                return Ok(Json::Array(items));
            }
            if !self.take(",") {
                return self.fail("no comma or closing bracket");
            }
        }
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at > start
    }

    /// A fraction or an exponent makes a number a float.
    fn number(&mut self) -> Result<Json, Malformed> {
        if self.take("-Infinity") {
            return Ok(Json::Float(f64::NEG_INFINITY));
        }
        let start = self.at;
        self.take("-");
        if !self.take("0") && !self.digits() {
            return self.fail("no digits");
        }
        let integer_end = self.at;
        if self.take(".") && !self.digits() {
            return self.fail("no digits after the point");
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            if !self.digits() {
                return self.fail("no digits in the exponent");
            }
        }
        let written = &self.text[start..self.at];
        if self.at == integer_end {
            let digits = if written == "-0" { "0" } else { written };
            return Ok(Json::Int(digits.to_owned()));
        }
        let value = written.parse().expect("a JSON number should be a Rust float");
        Ok(Json::Float(value))
    }

    fn string(&mut self) -> Result<String, Malformed> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let start = self.at;
            while matches!(self.peek(), Some(byte) if byte >= 0x20 && byte != b'"' && byte != b'\\')
            {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            if self.take("\"") {
                return Ok(out);
            }
            if !self.take("\\") {
                return self.fail("no end of the string");
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let Some(letter) = self.peek() else {
            return self.fail("no end of the escape");
        };
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return self.fail("unknown escape"),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, Malformed> {
        let first = self.code_unit()?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.take("\\u") {
            units.push(self.code_unit()?);
        }
        match String::from_utf16(&units).map(|text| text.chars().next()) {
            Ok(Some(character)) => Ok(character),
            _ => self.fail("a lone surrogate"),
        }
    }

    fn code_unit(&mut self) -> Result<u16, Malformed> {
        let digits: Option<&'a str> = self.text.get(self.at..self.at + 4);
        match digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit())) {
            Some(digits) => {
                self.at += 4;
                Ok(u16::from_str_radix(digits, 16).expect("four hex digits should fit"))
            }
            None => self.fail("no four hex digits"),
        }
    }
}

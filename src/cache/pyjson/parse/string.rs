//! Reading strings.

use super::super::scan;
use super::super::text::Text;
use super::{ParseError, Parser};

impl<'a> Parser<'a> {
    /// Reads a string whose opening quote is behind us, if all of it can be borrowed.
    #[inline(always)]
    pub(super) fn plain_string(&mut self) -> Option<Text<'a>> {
        let mut end = self.at + scan::plain_ascii(&self.bytes[self.at..]);
        let ascii = self.bytes.get(end) == Some(&b'"');
        if !ascii {
            end += scan::plain(&self.bytes[end..]);
            if self.bytes.get(end) != Some(&b'"') {
                return None;
            }
        }
        let text = &self.text[self.at..end];
        self.at = end + 1;
        Some(if ascii { Text::plain(text) } else { Text::from(text) })
    }

    /// Reads any string whose opening quote is behind us.
    #[inline(never)]
    pub(super) fn string_with_escapes(&mut self) -> Result<Text<'a>, ParseError> {
        self.as_served = false;
        let start = self.at;
        let mut bytes = Vec::new();
        loop {
            let run = scan::plain(&self.bytes[self.at..]);
            bytes.extend_from_slice(&self.bytes[self.at..self.at + run]);
            self.at += run;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(start, &mut bytes)?,
                Some(_) => return Err(self.error(self.at, "Invalid control character at")),
                None => return Err(self.unterminated(start)),
            }
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

    /// The value of exactly four hex digits. Upstream: something must follow them.
    fn hex_digits(&self, start: usize) -> Option<u32> {
        let [digits @ .., _] = self.bytes.get(start..start + 5)? else {
            return None;
        };
        digits
            .iter()
            .try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
    }

    fn unterminated(&self, start: usize) -> ParseError {
        self.error(start - 1, "Unterminated string starting at")
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

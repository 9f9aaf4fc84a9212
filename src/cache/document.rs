//! JSON documents of a fixed shape, written the two ways the contract needs: indented and in ASCII
//! for what is stored, compact and in UTF-8 for what is served. Members appear in the order they
//! are written, since both readers of old stores and clients may depend on it.

use super::pyjson::{self, Text, Value};

/// Something that has a JSON form.
pub trait Document {
    /// Writes the one JSON value that this is.
    fn write(&self, json: &mut Writer);

    /// The compact form, as served.
    fn compact(&self) -> String {
        let mut json = Writer::compact();
        self.write(&mut json);
        json.finish()
    }

    /// The form with an indent of so many spaces, as stored.
    fn indented(&self, spaces: usize) -> String {
        let mut json = Writer::indented(spaces);
        self.write(&mut json);
        json.finish()
    }
}

/// Writes JSON, one token after the other. Commas, colons and line feeds come by themselves.
#[derive(Debug)]
pub struct Writer {
    out: String,
    indent: Option<usize>,
    depth: usize,
    // Whether the innermost object or list has an item already, or a name waits for its value.
    filled: bool,
    named: bool,
}

impl Writer {
    /// For what is served: no spaces, non-ASCII as it is.
    #[must_use]
    pub fn compact() -> Self {
        Self::new(None)
    }

    /// For what is stored: one item a line, non-ASCII escaped.
    #[must_use]
    pub fn indented(spaces: usize) -> Self {
        Self::new(Some(spaces))
    }

    fn new(indent: Option<usize>) -> Self {
        let out = String::with_capacity(1024);
        Self { out, indent, depth: 0, filled: false, named: false }
    }

    /// The finished text.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    /// Writes an object whose members `members` writes.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.nested('{', members, '}');
    }

    /// Writes a list whose items `items` writes.
    pub fn list(&mut self, items: impl FnOnce(&mut Self)) {
        self.nested('[', items, ']');
    }

    /// Names the value that is written next.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.separate();
        self.text(name);
        self.out.push_str(if self.indent.is_some() { ": " } else { ":" });
        self.named = true;
        self
    }

    /// Writes a string.
    pub fn string(&mut self, value: &str) {
        self.separate();
        self.text(value);
    }

    /// Writes a string or `null`.
    pub fn string_or_null(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None => self.null(),
        }
    }

    /// Writes an integer.
    pub fn number(&mut self, value: u64) {
        self.separate();
        self.out.push_str(itoa::Buffer::new().format(value));
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.separate();
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// Writes `null`.
    pub fn null(&mut self) {
        self.separate();
        self.out.push_str("null");
    }

    /// Writes a list of strings.
    pub fn strings<S: AsRef<str>>(&mut self, values: impl IntoIterator<Item = S>) {
        self.list(|json| {
            for value in values {
                json.string(value.as_ref());
            }
        });
    }

    /// Writes any value as it is served. Only in compact documents.
    pub fn value(&mut self, value: &Value<'_>) {
        self.separate();
        pyjson::write_compact(&mut self.out, value);
    }

    /// Writes a value from its text as it is served. Only in compact documents.
    pub fn served_value(&mut self, text: &[u8]) {
        self.separate();
        self.out.push_str(&String::from_utf8_lossy(text));
    }

    /// Writes a string that may hold lone surrogates, as it is served.
    pub fn served_text(&mut self, text: &Text<'_>) {
        self.string(&text.to_string_lossy());
    }

    /// Writes another document.
    pub fn document(&mut self, document: &(impl Document + ?Sized)) {
        document.write(self);
    }

    fn text(&mut self, value: &str) {
        if self.indent.is_some() {
            pyjson::write_ascii_string(&mut self.out, value);
        } else {
            pyjson::write_utf8_string(&mut self.out, value);
        }
    }

    fn nested(&mut self, open: char, inside: impl FnOnce(&mut Self), close: char) {
        self.separate();
        self.out.push(open);
        self.depth += 1;
        self.filled = false;
        inside(self);
        self.depth -= 1;
        if self.filled {
            self.new_line();
        }
        self.filled = true;
        self.out.push(close);
    }

    /// Writes what stands between the last token and a new name or value.
    fn separate(&mut self) {
        if self.named {
            self.named = false;
            return;
        }
        if self.depth > 0 {
            if self.filled {
                self.out.push(',');
            }
            self.new_line();
        }
        self.filled = true;
    }

    fn new_line(&mut self) {
        const SPACES: &str = "                                ";
        if let Some(indent) = self.indent {
            self.out.push('\n');
            let width = indent * self.depth;
            self.out.push_str(SPACES.get(..width).unwrap_or(SPACES));
        }
    }
}

//! Text that needs no memory of its own where it is short, as identifiers of entries are: in a large store
//! every piece of memory to read is most of the cost of a read.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use arrayvec::ArrayString;

/// A text, kept in place where it has at most `N` bytes.
#[derive(Clone)]
pub struct Short<const N: usize>(Repr<N>);

#[derive(Clone)]
enum Repr<const N: usize> {
    Here(ArrayString<N>),
    Elsewhere(Box<str>),
}

impl<const N: usize> From<&str> for Short<N> {
    fn from(text: &str) -> Self {
        Self(match ArrayString::from(text) {
            Ok(text) => Repr::Here(text),
            Err(_) => Repr::Elsewhere(text.into()),
        })
    }
}

impl<const N: usize> From<String> for Short<N> {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl<const N: usize> Deref for Short<N> {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Repr::Here(text) => text,
            Repr::Elsewhere(text) => text,
        }
    }
}

// As the text is, so that a set of them can be asked for one.
impl<const N: usize> Borrow<str> for Short<N> {
    fn borrow(&self) -> &str {
        self
    }
}

impl<const N: usize> Hash for Short<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<const N: usize> PartialEq for Short<N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<const N: usize> Eq for Short<N> {}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        "".into()
    }
}

impl<const N: usize> fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<const N: usize> fmt::Display for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

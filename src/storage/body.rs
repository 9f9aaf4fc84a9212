//! The bytes of an object, there already or made when somebody reads them.
//!
//! A service operation writes documents that hardly anybody ever reads. A store that keeps objects in
//! the memory of this process may keep the document instead of its text ([`Body::document`]); every
//! other store takes the bytes, and sees no difference.

use std::any::Any;
use std::fmt;
use std::hint::black_box;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

/// A document that has a text, in bytes, or several that say the same in different ways and are kept
/// once: then each has a number.
pub trait Render: Any + fmt::Debug + Send + Sync {
    /// A text: the same bytes every time, however often and whenever it is asked for.
    fn render(&self, part: u8) -> Bytes;

    /// Its length in bytes.
    fn size(&self, part: u8) -> u64 {
        self.render(part).len() as u64
    }

    /// About how many bytes of memory each of its texts takes as long as it is not rendered: the same number
    /// every time.
    fn weight(&self) -> usize;

    /// Has the processor fetch what readers of the document look at, which costs a read of memory for
    /// each of its lines, while it has others to wait for. No more than a hint.
    fn fetch(&self) {}
}

/// One text of a document, not rendered.
#[derive(Clone, Debug)]
pub struct Part {
    document: Arc<dyn Render>,
    number: u8,
}

impl Part {
    /// The text of a document that has that number.
    #[must_use]
    pub fn new(document: Arc<dyn Render>, number: u8) -> Self {
        Self { document, number }
    }

    /// Has the processor fetch the document, while it has other memory to wait for.
    pub fn fetch(&self) {
        black_box(Arc::strong_count(&self.document));
        self.document.fetch();
    }

    /// Renders it.
    #[must_use]
    pub fn render(&self) -> Bytes {
        self.document.render(self.number)
    }

    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.document.size(self.number)
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.document.weight()
    }
}

/// The bytes of an object. Dereferences to them.
///
/// ```
/// # use larder::storage::Body;
/// let body = Body::from("value");
/// assert_eq!(&body[..], b"value");
/// assert_eq!(body.size(), 5);
/// ```
#[derive(Clone)]
pub struct Body(Repr);

#[derive(Clone)]
enum Repr {
    Bytes(Bytes),
    // The text is kept with this handle and not with the document, which would grow for good.
    Document(Part, OnceLock<Bytes>),
}

impl Body {
    /// A body whose bytes are what a document of one text renders to.
    #[must_use]
    pub fn of(document: Arc<dyn Render>) -> Self {
        Part::new(document, 0).into()
    }

    /// The document this body was made of, if it was, for stores that keep it and for whoever made it.
    #[must_use]
    pub fn document(&self) -> Option<&Part> {
        match &self.0 {
            Repr::Bytes(_) => None,
            Repr::Document(document, _) => Some(document),
        }
    }

    /// The document this body was made of; its bytes, when it was not.
    pub fn into_document(self) -> Result<Part, Bytes> {
        match self.0 {
            Repr::Bytes(bytes) => Err(bytes),
            Repr::Document(document, _) => Ok(document),
        }
    }

    /// The document this body was made of, if it was one of this type.
    #[must_use]
    pub fn document_of<D: Render>(&self) -> Option<&D> {
        let document: &dyn Any = &*self.document()?.document;
        document.downcast_ref()
    }

    /// The same, to hold on to.
    #[must_use]
    pub fn shared_document_of<D: Render>(&self) -> Option<Arc<D>> {
        let document: Arc<dyn Any + Send + Sync> = Arc::clone(&self.document()?.document) as _;
        document.downcast().ok()
    }

    /// Length in bytes, without rendering them where the document knows it.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.0 {
            Repr::Bytes(bytes) => bytes.len() as u64,
            Repr::Document(document, text) => {
                text.get().map_or_else(|| document.size(), |bytes| bytes.len() as u64)
            }
        }
    }

    /// About how many bytes of memory a store takes that keeps it as it is.
    #[must_use]
    pub fn weight(&self) -> usize {
        match &self.0 {
            Repr::Bytes(bytes) => bytes.len(),
            Repr::Document(document, _) => document.weight(),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        match &self.0 {
            Repr::Bytes(bytes) => bytes,
            Repr::Document(document, text) => text.get_or_init(|| document.render()),
        }
    }

    /// The bytes, without a copy of them.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Bytes(bytes) => bytes,
            Repr::Document(document, text) => {
                text.into_inner().unwrap_or_else(|| document.render())
            }
        }
    }
}

/// The length of a value in bytes, known or still to be found out from a document.
#[derive(Clone)]
pub struct Size(Known);

#[derive(Clone)]
enum Known {
    Bytes(u64),
    Document(Part),
}

impl Size {
    /// The length of what a document renders to.
    #[must_use]
    pub fn of(document: Part) -> Self {
        Self(Known::Document(document))
    }

    /// The number.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Known::Bytes(bytes) => *bytes,
            Known::Document(document) => document.size(),
        }
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Self {
        Self(Known::Bytes(bytes))
    }
}

impl PartialEq for Size {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Size {}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.bytes(), f)
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Part> for Body {
    fn from(document: Part) -> Self {
        Self(Repr::Document(document, OnceLock::new()))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Repr::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Body> for Bytes {
    fn from(body: Body) -> Self {
        body.into_bytes()
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Body {}

impl PartialEq<[u8]> for Body {
    fn eq(&self, other: &[u8]) -> bool {
        self[..] == *other
    }
}

impl PartialEq<&str> for Body {
    fn eq(&self, other: &&str) -> bool {
        self[..] == *other.as_bytes()
    }
}

impl PartialEq<Bytes> for Body {
    fn eq(&self, other: &Bytes) -> bool {
        self[..] == other[..]
    }
}

impl PartialEq<Body> for Bytes {
    fn eq(&self, other: &Body) -> bool {
        self[..] == other[..]
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.bytes(), f)
    }
}

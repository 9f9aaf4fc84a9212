//! Routes as data. One table gives the router, the OpenAPI document, the label of a request in the
//! log, and the tests that walk every row.
//!
//! Matching is upstream's, which is part of the wire contract and differs from axum's in ways that
//! clients can see: the path is percent-decoded *before* it is matched (so `%2F` is a slash), a
//! wildcard may stand in the middle and may be empty, rows are tried in order and the first one
//! wins, and a path that only another method has is 405 with the method of the first such row.
//! So the table is matched here, and axum carries the requests.

use std::pin::Pin;
use std::sync::Arc;

use arrayvec::ArrayVec;
use axum::http::Method;
use axum::response::Response;

use super::App;
use super::error::ApiError;
use super::input::Call;

/// What a handler returns.
pub(crate) type Answer = Result<Response, ApiError>;
/// A handler, as it stands in the table.
pub(crate) type Handler =
    fn(Arc<App>, Call) -> Pin<Box<dyn Future<Output = Answer> + Send + 'static>>;

/// One row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The method.
    pub(crate) method: Method,
    /// The path as clients know it: `{name}` is one segment, `{name:path}` the rest.
    pub(crate) path: &'static str,
    /// The family, a tag of the OpenAPI document.
    pub(crate) tag: &'static str,
    /// What it does.
    pub(crate) summary: &'static str,
    /// What the request carries.
    pub(crate) body: BodyKind,
    /// Parameters in the query.
    pub(crate) query: &'static [QueryParam],
    /// What a success carries.
    pub(crate) success: Success,
    /// Further statuses it may answer with, beside those every route has.
    pub(crate) statuses: &'static [u16],
    /// Who answers.
    pub(crate) handler: Handler,
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// Nothing that is read.
    None,
    /// A string.
    Text,
    /// A JSON object.
    Object,
    /// Bytes.
    Bytes,
    /// A JSON object with the members of this schema of the OpenAPI document.
    Schema(&'static str),
}

/// A parameter in the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryParam {
    /// Text, absent by default.
    Text(&'static str),
    /// A boolean and its default.
    Flag(&'static str, bool),
}

/// What the body of a success is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Success {
    /// JSON of a schema of the OpenAPI document.
    Json(&'static str),
    /// Any JSON.
    AnyJson,
    /// Text.
    Text,
    /// A page.
    Html,
    /// Bytes.
    Bytes,
    /// A ZIP archive.
    Zip,
    /// Bytes, text or JSON, as the name of the file says.
    File,
    /// Nothing but the way to another path.
    Redirect,
}

impl Route {
    /// A row for `GET`.
    pub(crate) const fn get(path: &'static str, success: Success, handler: Handler) -> Self {
        Self::new(Method::GET, path, BodyKind::None, success, handler)
    }

    /// A row for `HEAD`, which only few paths have.
    pub(crate) const fn head(path: &'static str, handler: Handler) -> Self {
        Self::new(Method::HEAD, path, BodyKind::None, Success::Html, handler)
    }

    /// A row for `POST`.
    pub(crate) const fn post(
        path: &'static str,
        body: BodyKind,
        success: Success,
        handler: Handler,
    ) -> Self {
        Self::new(Method::POST, path, body, success, handler)
    }

    /// A row for `DELETE`.
    pub(crate) const fn delete(path: &'static str, success: Success, handler: Handler) -> Self {
        Self::new(Method::DELETE, path, BodyKind::None, success, handler)
    }

    const fn new(
        method: Method,
        path: &'static str,
        body: BodyKind,
        success: Success,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            path,
            tag: "",
            summary: "",
            body,
            query: &[],
            success,
            statuses: &[],
            handler,
        }
    }

    /// Says what it is.
    pub(crate) const fn about(mut self, tag: &'static str, summary: &'static str) -> Self {
        self.tag = tag;
        self.summary = summary;
        self
    }

    /// Names its parameters in the query.
    pub(crate) const fn with_query(mut self, query: &'static [QueryParam]) -> Self {
        self.query = query;
        self
    }

    /// Names the statuses it may answer with beside those every route has.
    pub(crate) const fn may_answer(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }
}

/// The values of the parameters in a path, decoded, by name.
pub(crate) type Params = Vec<(&'static str, String)>;

/// The table, ready to be asked.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<(Pattern, Route)>,
}

/// What the table says of a request.
#[derive(Debug)]
pub(crate) enum Match<'t> {
    /// This row answers.
    Found(&'t Route, Params),
    /// The path is known, for this method only (and `HEAD`, if that is said).
    OtherMethod(&'t Route, bool),
    /// The path is not known.
    None,
}

impl Table {
    /// Makes a table of rows, which are tried in this order.
    pub(crate) fn new(rows: Vec<Route>) -> Self {
        let rows = rows.into_iter().map(|route| (Pattern::new(route.path), route)).collect();
        Self { rows }
    }

    /// The rows, in order.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.rows.iter().map(|(_, route)| route)
    }

    /// Finds the row for a method and a decoded path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Match<'_> {
        let slashes = slashes(path);
        let mut rows = self.rows.iter().filter(|(pattern, route)| {
            // Most rows are out of the question by this, which is quicker than looking at their words.
            pattern.may_have(slashes) && route.method == *method
        });
        let found = rows.find_map(|(pattern, route)| Some((route, pattern.params(path)?)));
        if let Some((route, params)) = found {
            let params = params.into_iter().map(|(name, value)| (name, value.to_owned()));
            return Match::Found(route, params.collect());
        }
        let other = self.rows.iter().find(|(pattern, _)| pattern.params(path).is_some());
        let other = other.map(|(_, route)| route);
        other.map_or(Match::None, |route| {
            let head =
                self.routes().any(|row| row.method == Method::HEAD && row.path == route.path);
            Match::OtherMethod(route, head)
        })
    }

    /// Whether any method has this path.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.rows.iter().any(|(pattern, _)| pattern.params(path).is_some())
    }
}

/// The values of the parameters in a path where they stand in it: most rows that are tried do not match,
/// and shall not cost an allocation.
type Slices<'p> = ArrayVec<(&'static str, &'p str), 8>;

fn slashes(path: &str) -> usize {
    path.bytes().filter(|byte| *byte == b'/').count()
}

/// A public path, taken apart.
#[derive(Debug)]
struct Pattern {
    /// How many slashes it has.
    slashes: usize,
    /// The segments before the wildcard, or all of them.
    before: Vec<Segment>,
    /// The wildcard and the segments after it.
    wildcard: Option<(&'static str, Vec<Segment>)>,
}

#[derive(Debug, Clone, Copy)]
enum Segment {
    Fixed(&'static str),
    Param(&'static str),
}

impl Segment {
    fn new(text: &'static str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => Self::Param(name),
            None => Self::Fixed(text),
        }
    }

    fn take<'p>(self, segment: &'p str, params: &mut Slices<'p>) -> bool {
        match self {
            Self::Fixed(fixed) => fixed == segment,
            // A row with more of them than there is room for never matches, which the tests that walk
            // the table find.
            Self::Param(name) => params.try_push((name, segment)).is_ok() && !segment.is_empty(),
        }
    }
}

impl Pattern {
    fn new(path: &'static str) -> Self {
        let mut before = Vec::new();
        let mut wildcard: Option<(&'static str, Vec<Segment>)> = None;
        for text in path.trim_start_matches('/').split('/') {
            let name = text.strip_prefix('{').and_then(|text| text.strip_suffix(":path}"));
            match (name, &mut wildcard) {
                (Some(name), None) => wildcard = Some((name, Vec::new())),
                (None, None) => before.push(Segment::new(text)),
                (_, Some((_, after))) => after.push(Segment::new(text)),
            }
        }
        Self { slashes: slashes(path), before, wildcard }
    }

    /// Whether a path with so many slashes can match: a wildcard takes any number of them.
    fn may_have(&self, slashes: usize) -> bool {
        match self.wildcard {
            Some(_) => self.slashes <= slashes,
            None => self.slashes == slashes,
        }
    }

    fn params<'p>(&self, path: &'p str) -> Option<Slices<'p>> {
        let mut rest = path.strip_prefix('/')?;
        let mut params = Slices::new();
        let last = self.before.len().checked_sub(1);
        for (index, segment) in self.before.iter().enumerate() {
            let ends_here = self.wildcard.is_none() && Some(index) == last;
            let (text, behind) = match rest.split_once('/') {
                Some(_) if ends_here => return None,
                Some((text, behind)) => (text, behind),
                None if ends_here => (rest, ""),
                None => return None,
            };
            if !segment.take(text, &mut params) {
                return None;
            }
            rest = behind;
        }
        if let Some((name, after)) = &self.wildcard {
            for segment in after.iter().rev() {
                let (behind, text) = rest.rsplit_once('/')?;
                if !segment.take(text, &mut params) {
                    return None;
                }
                rest = behind;
            }
            // Upstream's wildcards do not match a line feed.
            if rest.contains('\n') {
                return None;
            }
            params.try_push((name, rest)).ok()?;
        }
        Some(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/{ns}/stats", "/a/stats", Some(vec!["a"]))]
    #[case("/{ns}/stats", "/a/b/stats", None)]
    #[case("/{ns}/stats", "//stats", None)]
    #[case("/{ns}/stats", "/a/stats/", None)]
    #[case("/{ns}/stats", "/a\nb/stats", Some(vec!["a\nb"]))]
    #[case("/{ns}/s/{key:path}", "/a/s/", Some(vec!["a", ""]))]
    #[case("/{ns}/s/{key:path}", "/a/s", None)]
    #[case("/{ns}/s/{key:path}", "/a/s//x/../y/", Some(vec!["a", "/x/../y/"]))]
    #[case("/{ns}/s/{key:path}", "/a/s/x\ny", None)]
    #[case("/{ns}/s/{key:path}/{id}", "/a/s/k/l/i", Some(vec!["a", "i", "k/l"]))]
    #[case("/{ns}/s/{key:path}/{id}", "/a/s//i", Some(vec!["a", "i", ""]))]
    #[case("/{ns}/s/{key:path}/{id}", "/a/s/i", None)]
    #[case("/{ns}/s/{key:path}/{id}", "/a/s/k/", None)]
    fn patterns_match_as_upstream_does(
        #[case] pattern: &'static str,
        #[case] path: &str,
        #[case] values: Option<Vec<&str>>,
    ) {
        let pattern = Pattern::new(pattern);
        let params = pattern.params(path);
        assert!(params.is_none() || pattern.may_have(slashes(path)), "{pattern:?} is passed over");
        let found = params.map(|params| params.into_iter().map(|(_, v)| v).collect::<Vec<_>>());
        assert_eq!(found, values);
    }
}

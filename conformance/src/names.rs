//! Related names: a small pool in which every name is made from another one.
//!
//! Stores confuse names that are *related*: one is the beginning of another, or the same but for
//! case, for a normal form, for an escape. Names drawn at random are never related, so a case draws a
//! few seeds and grows them into each other. [`Relations`] counts which relations really came up
//! among the names written, and a run in which one did not come up is inconclusive.

use std::fmt;

use larder::key::{Key, Namespace, RelPath};
use proptest::prelude::*;

/// The names of one case: keys by index, so that every operation is valid in every state and
/// shrinking repairs nothing.
#[derive(Clone)]
pub(crate) struct Pool {
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) paths: Vec<String>,
    key_bytes: usize,
}

impl Pool {
    /// The key that two indices stand for.
    pub(crate) fn key(&self, namespace: u8, path: u8) -> Key {
        let namespace = &self.namespaces[usize::from(namespace) % self.namespaces.len()];
        let path = &self.paths[usize::from(path) % self.paths.len()];
        // The root namespace and those called `data` and `refs` hold only some paths.
        let moved = format!("data/{path}");
        let twice = format!("data/x/{path}");
        let fitting = [path.as_str(), &moved, &twice, "data/x"];
        let mut keys = fitting.iter().filter_map(|path| {
            let key = namespace.key(RelPath::parse(path).ok()?).ok()?;
            (key.as_str().len() <= self.key_bytes).then_some(key)
        });
        keys.next().expect("battery bug: no key fits")
    }

    /// A namespace by index.
    pub(crate) fn namespace(&self, index: u8) -> &Namespace {
        &self.namespaces[usize::from(index) % self.namespaces.len()]
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} × {:?}", self.namespaces, self.paths)
    }
}

/// Pools whose keys have at most so many bytes.
pub(crate) fn pools(key_bytes: usize, namespaces: std::ops::Range<usize>) -> BoxedStrategy<Pool> {
    let seeds = prop::collection::vec(0..SEEDS.len(), 1..3);
    let growth = prop::collection::vec((any::<u8>(), relations()), 2..11);
    let spaces = prop::collection::vec((any::<u8>(), 0..SPACE_RELATIONS), namespaces);
    let first = 0..SPACES.len();
    (seeds, growth, first, spaces)
        .prop_map(move |(seeds, growth, first, spaces)| {
            let mut paths: Vec<String> = seeds.iter().map(|&seed| SEEDS[seed].into()).collect();
            for (from, relation) in growth {
                let from = paths[usize::from(from) % paths.len()].clone();
                for path in relation.relatives(&from) {
                    if RelPath::parse(&path).is_ok() && !paths.contains(&path) {
                        paths.push(path);
                    }
                }
            }
            let mut namespaces = vec![crate::bench::space(SPACES[first])];
            for (from, relation) in spaces {
                let from = &namespaces[usize::from(from) % namespaces.len()];
                let relative = related_space(from.as_str(), relation);
                if !namespaces.contains(&relative) {
                    namespaces.push(relative);
                }
            }
            Pool { namespaces, paths, key_bytes }
        })
        .boxed()
}

const SEEDS: [&str; 12] =
    ["a", "k", "data/x", "refs/a", "a/b", "A", "é", "a b", "1", "by-hash/0f", "x.tmp", "a%41"];

const SPACES: [&str; 8] = ["ns", "a", "team", "1", "data", "refs", "a_b", "NS"];

const SPACE_RELATIONS: usize = 11;

/// A namespace that a careless store takes for this one.
fn related_space(name: &str, relation: usize) -> Namespace {
    let text = match relation {
        0 => format!("{name}1"),
        1 => format!("{name}10"),
        2 => format!("{name}-x"),
        3 => format!("{name}_b"),
        4 => swap_case(name),
        5 => name.chars().take(name.chars().count().saturating_sub(1).max(1)).collect(),
        6 => "data".into(),
        7 => "refs".into(),
        8 => String::new(),
        9 => format!("{name}b"),
        _ => name.replace('_', "-"),
    };
    Namespace::parse(&text).unwrap_or_else(Namespace::root)
}

/// How one name is made from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Append(&'static str),
    Child(&'static str),
    Deep,
    Parent,
    Case,
    Normal,
    Percent,
    Twin(char, char),
    LongTails(usize),
    Duplicate,
    Shorter,
    Before(&'static str),
}

fn relations() -> impl Strategy<Value = Relation> {
    use Relation as R;
    let tail =
        prop::sample::select(vec!["b", "0", "-b", ".", " ", "%2F", "é", "~", ".tmp", "_", "#1"]);
    let child = prop::sample::select(vec!["b", "c", "a", ".x", "b c", "0"]);
    let twin = prop::sample::select(vec![
        ('/', '-'),
        ('/', '_'),
        ('/', ':'),
        (' ', '+'),
        ('a', 'b'),
        ('-', '_'),
        ('/', '\\'),
        ('.', '_'),
        ('a', 'а'), // Cyrillic
        ('a', '😀'),
        ('b', 'ｂ'),
    ]);
    let lead = prop::sample::select(vec![".", " ", "0", "%", "_"]);
    prop_oneof![
        4 => child.prop_map(R::Child),
        4 => tail.prop_map(R::Append),
        2 => Just(R::Case),
        2 => Just(R::Normal),
        2 => Just(R::Percent),
        3 => twin.prop_map(|(one, two)| R::Twin(one, two)),
        1 => Just(R::Parent),
        1 => Just(R::Deep),
        1 => Just(R::Shorter),
        1 => Just(R::Duplicate),
        1 => lead.prop_map(R::Before),
        1 => prop::sample::select(vec![200_usize, 240, 250]).prop_map(R::LongTails),
    ]
}

impl Relation {
    pub(crate) fn relatives(self, name: &str) -> Vec<String> {
        let (folder, last) = match name.rsplit_once('/') {
            Some((folder, last)) => (format!("{folder}/"), last),
            None => (String::new(), name),
        };
        let one = match self {
            Self::Append(tail) => format!("{name}{tail}"),
            Self::Child(child) => format!("{name}/{child}"),
            Self::Deep => format!("{name}/{}", ["d"; 12].join("/")),
            Self::Parent => folder.trim_end_matches('/').to_owned(),
            Self::Case => swap_case(name),
            Self::Normal => return vec![composed(name), decomposed(name)],
            Self::Percent => percent(name),
            Self::Twin(one, two) if name.contains(one) => name.replace(one, &two.to_string()),
            Self::Twin(one, two) => {
                return vec![format!("{name}{one}x"), format!("{name}{two}x")];
            }
            // Two segments that differ only behind a long beginning.
            Self::LongTails(common) => {
                let common: String = last.chars().cycle().take(common).collect();
                let cut = (0..=common.len().min(253)).rev().find(|&at| common.is_char_boundary(at));
                let common = &common[..cut.unwrap_or_default()];
                return vec![format!("{folder}{common}-1"), format!("{folder}{common}-2")];
            }
            Self::Duplicate => format!("{folder}{last}/{last}"),
            Self::Shorter => {
                let mut shorter = name.to_owned();
                shorter.pop();
                shorter
            }
            Self::Before(lead) => format!("{folder}{lead}{last}"),
        };
        vec![one]
    }
}

fn swap_case(name: &str) -> String {
    let swap = |c: char| {
        if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() }
    };
    name.chars().map(swap).collect()
}

/// The name with accents composed; made to have one if it has none.
pub(crate) fn composed(name: &str) -> String {
    let named =
        if name.contains(['é', '\u{301}']) { name.to_owned() } else { format!("{name}é") };
    named.replace("e\u{301}", "é")
}

/// The same with accents decomposed.
pub(crate) fn decomposed(name: &str) -> String {
    composed(name).replace('é', "e\u{301}")
}

/// The last character that is not a slash, as percent-escapes.
fn percent(name: &str) -> String {
    let Some((at, last)) = name.char_indices().rev().find(|&(_, c)| c != '/') else {
        return name.into();
    };
    let escaped: String = last.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("{}{escaped}{}", &name[..at], &name[at + last.len_utf8()..])
}

/// How often each relation held between two names that were written in the same case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Relations {
    pub(crate) path_prefix: u32,
    pub(crate) string_prefix: u32,
    pub(crate) case: u32,
    pub(crate) normal_form: u32,
    pub(crate) percent: u32,
    pub(crate) long_common: u32,
    pub(crate) near_namespaces: u32,
    pub(crate) same_path: u32,
    pub(crate) split_elsewhere: u32,
    pub(crate) order: u32,
}

impl Relations {
    /// Counts the pairs among these keys.
    pub(crate) fn count(&mut self, keys: &[Key]) {
        for (index, one) in keys.iter().enumerate() {
            for two in &keys[index + 1..] {
                self.pair(one, two);
                self.pair(two, one);
            }
        }
    }

    fn pair(&mut self, one: &Key, two: &Key) {
        let same_space = one.namespace_str() == two.namespace_str();
        let note = |counter: &mut u32, held: bool| *counter += u32::from(held);
        if !same_space {
            let near = two.namespace_str().starts_with(one.namespace_str())
                || one.namespace_str().eq_ignore_ascii_case(two.namespace_str());
            note(&mut self.near_namespaces, near);
            note(&mut self.same_path, one.path() == two.path());
            let squeezed = |key: &Key| key.as_str().replace(['/', '_', '-'], "");
            note(&mut self.split_elsewhere, squeezed(one) == squeezed(two));
            return;
        }
        let (one, two) = (one.path(), two.path());
        let common = one.bytes().zip(two.bytes()).take_while(|(a, b)| a == b).count();
        let rest = two.strip_prefix(one);
        note(&mut self.path_prefix, rest.is_some_and(|rest| rest.starts_with('/')));
        note(&mut self.string_prefix, rest.is_some_and(|rest| !rest.starts_with('/')));
        note(&mut self.case, one != two && one.to_lowercase() == two.to_lowercase());
        note(&mut self.normal_form, one != two && composed(one) == composed(two));
        note(&mut self.percent, one != two && (percent(one) == two));
        note(&mut self.long_common, common >= 180);
        // `a/…` beside `a-…` or `a.…`: where a directory walk and byte order differ.
        let below_slash = |c: u8| (0x20..b'/').contains(&c);
        let (a, b) = (one.as_bytes().get(common), two.as_bytes().get(common));
        note(&mut self.order, a == Some(&b'/') && b.is_some_and(|&b| below_slash(b)));
    }

    /// The relations that came up in fewer than so many pairs.
    pub(crate) fn missing(&self, several_namespaces: bool, fewest: u32) -> Vec<&'static str> {
        let inside = [
            ("a path that is the folder of another", self.path_prefix),
            ("a name that is the beginning of another", self.string_prefix),
            ("names that differ by case", self.case),
            ("names that differ by normal form", self.normal_form),
            ("names that differ by a percent-escape", self.percent),
            ("long names with a common beginning", self.long_common),
            ("names whose byte order is not the order of a directory walk", self.order),
        ];
        let across = [
            ("near-miss namespaces", self.near_namespaces),
            ("one path in two namespaces", self.same_path),
            ("one text split in two ways", self.split_elsewhere),
        ];
        let across = across.into_iter().filter(|_| several_namespaces);
        inside
            .into_iter()
            .chain(across)
            .filter(|(_, n)| *n < fewest)
            .map(|(name, _)| name)
            .collect()
    }
}

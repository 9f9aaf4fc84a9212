//! Which files belong to an entry, told without holding the entries.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

use super::entry::data_folder;
use crate::cache::refs::EntryRef;
use crate::key::Key;

/// The places that entries own: a mark of eight bytes for each content file and each folder of child
/// data. Two names with one mark would be taken for one; then an orphan would not be found.
#[derive(Debug, Default)]
pub(super) struct Owned {
    marks: Vec<u64>,
    sorted: bool,
    /// What came once the marks were sorted: entries stored while the check runs.
    late: HashSet<u64>,
}

fn mark(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}

impl Owned {
    /// Notes the places of an entry.
    pub(super) fn add(&mut self, reference: &EntryRef) {
        let beside = reference.content_files.iter().map(|content| data_folder(content));
        // Nearly always these are the folders it names.
        let others = beside.filter(|folder| !reference.data_folders.contains(folder));
        let named = reference.content_files.iter().chain(&reference.data_folders).cloned();
        for name in named.chain(others) {
            let mark = mark(&name);
            if self.sorted {
                self.late.insert(mark);
            } else {
                self.marks.push(mark);
            }
        }
    }

    /// Makes the marks ready to be asked for.
    pub(super) fn sort(&mut self) {
        self.marks.sort_unstable();
        self.marks.dedup();
        self.sorted = true;
    }

    fn has(&self, name: &str) -> bool {
        let mark = mark(name);
        self.marks.binary_search(&mark).is_ok() || self.late.contains(&mark)
    }

    /// Whether a file is content of an entry, lies beside such, or is child data of one.
    pub(super) fn covers(&self, key: &Key) -> bool {
        self.has(content_name(key.as_str())) || child_folders(key).any(|folder| self.has(folder))
    }
}

/// The content file that a file is, or lies beside.
pub(super) fn content_name(name: &str) -> &str {
    let stem = name.strip_suffix(".config").or_else(|| name.strip_suffix(".metadata"));
    stem.unwrap_or(name)
}

/// The folders above a file that may be folders of child data, the outermost first.
pub(super) fn child_folders(key: &Key) -> impl Iterator<Item = &str> {
    let name = key.as_str();
    let top = name.len() - key.path().len() + "data/".len();
    name.match_indices("/data/")
        .map(|(at, _)| at)
        .filter(move |at| *at >= top)
        .filter_map(move |at| name.get(..at + "/data".len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RelPath;
    use rstest::rstest;

    #[rstest]
    #[case("data/direct/ab/cd/f/data/x.txt", &["n/data/direct/ab/cd/f/data"])]
    #[case("data/direct/ab/cd/f.json", &[])]
    #[case("data/key-based/data/f.json", &["n/data/key-based/data"])]
    #[case("data/key-based/f/data/k/data/x.txt",
        &["n/data/key-based/f/data", "n/data/key-based/f/data/k/data"])]
    fn folders_of_child_data_are_seen_in_a_name(#[case] path: &str, #[case] expected: &[&str]) {
        let namespace = crate::key::Namespace::clean("n").unwrap();
        let key = namespace.key(RelPath::parse(path).unwrap()).unwrap();
        assert_eq!(child_folders(&key).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn side_files_lie_beside_their_content() {
        for name in ["n/f.json", "n/f.json.config", "n/f.json.metadata"] {
            assert_eq!(content_name(name), "n/f.json");
        }
    }
}

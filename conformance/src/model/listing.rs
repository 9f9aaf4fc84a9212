//! What a world lists.

use larder::key::{Key, Namespace, Prefix};
use larder::storage::{Cursor, Depth, Page};

use super::world::World;

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Entry(Key, u64),
    Folder(Prefix),
}

impl Item {
    fn text(&self) -> &str {
        match self {
            Self::Entry(key, _) => key.as_str(),
            Self::Folder(folder) => folder.as_str(),
        }
    }
}

impl World {
    /// What is left to list behind a cursor, in order.
    pub(super) fn listing(
        &self,
        prefix: &Prefix,
        depth: Depth,
        after: Option<&Cursor>,
    ) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for (key, value) in &self.objects {
            if !prefix.contains(key) || after.is_some_and(|after| after.passed(key)) {
                continue;
            }
            let folder = match depth {
                Depth::All => None,
                Depth::Children => prefix.child_towards(key),
            };
            match folder {
                Some(folder) => {
                    let item = Item::Folder(folder);
                    if items.last() != Some(&item) {
                        items.push(item);
                    }
                }
                None => items.push(Item::Entry(key.clone(), value.len() as u64)),
            }
        }
        items
    }

    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        let firsts = self.objects.keys().filter_map(|key| key.as_str().split('/').next());
        let mut found: Vec<_> = firsts.filter_map(Namespace::parse).collect();
        found.sort();
        found.dedup();
        found
    }
}

/// Whether a page may be an answer where these items were left: a beginning of them, with a cursor
/// behind which exactly the others lie, or all of them.
pub(super) fn fits(
    page: &Page,
    expected: &[Item],
    behind: impl FnOnce(&Cursor) -> Vec<Item>,
) -> bool {
    let entries = page.entries.iter().map(|entry| Item::Entry(entry.key.clone(), entry.size));
    let folders = page.folders.iter().map(|folder| Item::Folder(folder.clone()));
    let mut items: Vec<_> = entries.chain(folders).collect();
    // Only the merge of the two kinds; the order of each is checked as given.
    items.sort_by(|one, two| one.text().cmp(two.text()));
    // Whatever is there twice is not expected.
    let ordered = page.entries.is_sorted_by_key(|entry| &entry.key) && page.folders.is_sorted();
    let Some(rest) = expected.strip_prefix(&*items) else { return false };
    ordered
        && match &page.next {
            None => rest.is_empty(),
            Some(next) => behind(next) == rest,
        }
}

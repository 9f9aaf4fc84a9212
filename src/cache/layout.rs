//! Where the objects of an entry live: strategies to keys, exactly as upstream lays them out.
//! Pure: the moment of the store is an argument.

use super::ident::{CacheId, FileType, Strategy};
use crate::key::{InvalidName, Key, Namespace};

/// The two-level shards of a name: `abcdef` is `ab/cd`, shorter names give less.
#[must_use]
pub fn shards(name: &str) -> String {
    pieces_of_shards(name).concat()
}

fn pieces_of_shards(name: &str) -> [&str; 3] {
    let end = |count| name.char_indices().nth(count).map_or(name.len(), |(at, _)| at);
    let (first, second) = (&name[..end(2)], &name[end(2)..end(4)]);
    [first, if second.is_empty() { "" } else { "/" }, second]
}

/// The folder of an hour, `YYYY/MM/DD/HH` in UTC, of a time in milliseconds since 1970.
/// Upstream uses the local time zone of its process; readers never compute it again.
#[must_use]
pub fn time_path(now_ms: u64) -> String {
    let seconds = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    let time = time::OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{:04}/{:02}/{:02}/{:02}", time.year(), u8::from(time.month()), time.day(), time.hour())
}

/// The folders that hold a copy of the content each, in the order of upstream's handlers.
pub fn locations(
    strategy: Strategy,
    cache_key: &str,
    file_id: &str,
    now_ms: u64,
) -> Result<Vec<String>, InvalidName> {
    let base = || ["data/", strategy.folder()].concat();
    Ok(match strategy {
        Strategy::Direct => {
            // Upstream fails on these: the only shard would be refused as a path.
            if file_id == "_" || file_id == "__" {
                return Err(InvalidName::OnlyUnderscores);
            }
            let [first, slash, second] = pieces_of_shards(file_id);
            vec![["data/", strategy.folder(), "/", first, slash, second].concat()]
        }
        Strategy::Temporal => vec![format!("{}/{}", base(), time_path(now_ms))],
        Strategy::TemporalLatest => {
            vec![format!("{}/latest", base()), format!("{}/{}", base(), time_path(now_ms))]
        }
        Strategy::TemporalVersioned => vec![
            format!("{}/{}", base(), time_path(now_ms)),
            format!("{}/latest", base()),
            format!("{}/versions/v1", base()),
        ],
        Strategy::KeyBased if cache_key.is_empty() => vec![base()],
        // One trailing slash does not double in the path; anything else that makes an empty segment
        // is refused where the path is parsed.
        Strategy::KeyBased => {
            vec![format!("{}/{}", base(), cache_key.strip_suffix('/').unwrap_or(cache_key))]
        }
    })
}

/// The keys of one copy of an entry's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The content.
    pub content: Key,
    /// The file configuration.
    pub config: Key,
    /// The file metadata.
    pub metadata: Key,
}

impl Copy {
    /// Names the files of a copy in a location inside the namespace.
    pub fn new(
        namespace: &Namespace,
        location: &str,
        file_id: &str,
        file_type: FileType,
    ) -> Result<Self, InvalidName> {
        let content = namespace.key_of(&[location, "/", file_id, ".", file_type.extension()])?;
        let (config, metadata) = (content.beside(".config")?, content.beside(".metadata")?);
        Ok(Self { content, config, metadata })
    }

    /// The folder, as a physical name: `namespace/data/…`.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.content.as_str().rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The folder of child data, as a physical name.
    #[must_use]
    pub fn data_folder(&self) -> String {
        let content = self.content.as_str();
        let stem = content.rsplit_once('.').map_or(content, |(stem, _)| stem);
        format!("{stem}/data")
    }
}

/// The key of an entry reference.
pub fn id_reference(namespace: &Namespace, id: &CacheId) -> Result<Key, InvalidName> {
    reference(namespace, "by-id", id.as_str())
}

/// The key of a hash reference. Fails on the empty hash.
pub fn hash_reference(namespace: &Namespace, hash: &str) -> Result<Key, InvalidName> {
    reference(namespace, "by-hash", hash)
}

fn reference(namespace: &Namespace, kind: &str, name: &str) -> Result<Key, InvalidName> {
    let [first, slash, second] = pieces_of_shards(name);
    namespace.key_of(&["refs/", kind, "/", first, slash, second, "/", name, ".json"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use rstest::rstest;

    #[rstest]
    #[case("abcdef", "ab/cd")]
    #[case("abcd", "ab/cd")]
    #[case("abc", "ab/c")]
    #[case("ab", "ab")]
    #[case("a", "a")]
    #[case("", "")]
    fn names_are_sharded_in_two_levels(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(shards(name), expected);
    }

    #[rstest]
    #[case(0, "1970/01/01/00")]
    #[case(1_795_333_213_713, "2026/11/22/07")]
    #[case(951_825_599_999, "2000/02/29/11")]
    fn hours_are_padded_and_utc(#[case] now_ms: u64, #[case] expected: &str) {
        assert_eq!(time_path(now_ms), expected);
    }

    #[rstest]
    #[case(Strategy::Direct, &["data/direct/fi/le"])]
    #[case(Strategy::Temporal, &["data/temporal/1970/01/01/00"])]
    #[case(Strategy::TemporalLatest, &["data/temporal-latest/latest", "data/temporal-latest/1970/01/01/00"])]
    #[case(Strategy::TemporalVersioned, &["data/temporal-versioned/1970/01/01/00",
        "data/temporal-versioned/latest", "data/temporal-versioned/versions/v1"])]
    #[case(Strategy::KeyBased, &["data/key-based/a/b"])]
    fn strategies_have_their_places(#[case] strategy: Strategy, #[case] expected: &[&str]) {
        for key in ["a/b", "a/b/"] {
            assert_eq!(locations(strategy, key, "file-one", 0).unwrap(), expected);
        }
    }

    #[test]
    fn a_key_based_entry_without_a_key_lies_at_the_top() {
        assert_eq!(locations(Strategy::KeyBased, "", "f", 0).unwrap(), ["data/key-based"]);
    }

    proptest! {
        /// Whatever the identifiers are once cleaned, an entry either has its place inside its own
        /// namespace or is refused.
        #[test]
        fn every_copy_lies_in_its_namespace(
            namespace in "[A-Za-z0-9_-]{0,12}",
            key in r"[a-z0-9_./\\ -]{0,40}",
            file_id in "[A-Za-z0-9_-]{1,40}",
            now in 0_u64..4_000_000_000_000,
            which in 0_usize..5,
        ) {
            let namespace = Namespace::clean(&namespace).unwrap();
            let strategy = Strategy::ALL[which];
            let Ok(places) = locations(strategy, &key, &file_id, now) else { return Ok(()) };
            for place in places {
                let Ok(copy) = Copy::new(&namespace, &place, &file_id, FileType::Json) else { continue };
                let all = namespace.everything();
                for found in [&copy.content, &copy.config, &copy.metadata] {
                    prop_assert!(all.contains(found));
                    let top = format!("data/{}", strategy.folder());
                    prop_assert!(found.path().starts_with(&top));
                }
                prop_assert!(namespace.folder_from_physical(&copy.data_folder()).is_some());
                prop_assert_eq!(copy.content.as_str(), &format!("{}/{file_id}.json", copy.folder()));
            }
        }

        #[test]
        fn references_lie_under_refs(id in any::<u128>(), hash in "[0-9a-f]{10,96}") {
            let namespace = Namespace::clean("n").unwrap();
            let id = CacheId::from(uuid::Uuid::from_u128(id));
            let by_id = id_reference(&namespace, &id).unwrap();
            prop_assert_eq!(
                by_id.as_str(),
                &format!("n/refs/by-id/{}/{}/{id}.json", &id.as_str()[..2], &id.as_str()[2..4])
            );
            let by_hash = hash_reference(&namespace, &hash).unwrap();
            prop_assert_eq!(
                by_hash.as_str(),
                &format!("n/refs/by-hash/{}/{}/{hash}.json", &hash[..2], &hash[2..4])
            );
        }
    }
}

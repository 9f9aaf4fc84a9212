//! Where the objects of an entry live: strategies to keys, exactly as upstream lays them out.
//! Pure: the moment of the store is an argument.

use super::ident::{CacheId, FileType, Strategy};
use crate::key::{InvalidName, Key, Namespace, RelPath};

/// The two-level shards of a name: `abcdef` is `ab/cd`, shorter names give less.
#[must_use]
pub fn shards(name: &str) -> String {
    let end = |count| name.char_indices().nth(count).map_or(name.len(), |(at, _)| at);
    let (first, second) = (&name[..end(2)], &name[end(2)..end(4)]);
    if second.is_empty() { first.to_owned() } else { format!("{first}/{second}") }
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
    let base = format!("data/{}", strategy.folder());
    Ok(match strategy {
        Strategy::Direct => {
            // Upstream fails on these: the only shard would be refused as a path.
            if file_id == "_" || file_id == "__" {
                return Err(InvalidName::OnlyUnderscores);
            }
            vec![format!("{base}/{}", shards(file_id))]
        }
        Strategy::Temporal => vec![format!("{base}/{}", time_path(now_ms))],
        Strategy::TemporalLatest => {
            vec![format!("{base}/latest"), format!("{base}/{}", time_path(now_ms))]
        }
        Strategy::TemporalVersioned => vec![
            format!("{base}/{}", time_path(now_ms)),
            format!("{base}/latest"),
            format!("{base}/versions/v1"),
        ],
        Strategy::KeyBased if cache_key.is_empty() => vec![base],
        // One trailing slash does not double in the path; anything else that makes an empty segment
        // is refused where the path is parsed.
        Strategy::KeyBased => {
            vec![format!("{base}/{}", cache_key.strip_suffix('/').unwrap_or(cache_key))]
        }
    })
}

/// The keys of one copy of an entry's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The folder, as a physical name: `namespace/data/…`.
    pub folder: String,
    /// The content.
    pub content: Key,
    /// The file configuration.
    pub config: Key,
    /// The file metadata.
    pub metadata: Key,
    /// The folder of child data, as a physical name.
    pub data_folder: String,
}

impl Copy {
    /// Names the files of a copy in a location inside the namespace.
    pub fn new(
        namespace: &Namespace,
        location: &str,
        file_id: &str,
        file_type: FileType,
    ) -> Result<Self, InvalidName> {
        let extension = file_type.extension();
        let key = |suffix: &str| {
            let path = format!("{location}/{file_id}.{extension}{suffix}");
            namespace.key(RelPath::parse(&path)?)
        };
        let physical = |path: &str| match namespace.is_root() {
            true => path.to_owned(),
            false => format!("{namespace}/{path}"),
        };
        Ok(Self {
            folder: physical(location),
            content: key("")?,
            config: key(".config")?,
            metadata: key(".metadata")?,
            data_folder: physical(&format!("{location}/{file_id}/data")),
        })
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
    let path = format!("refs/{kind}/{}/{name}.json", shards(name));
    namespace.key(RelPath::parse(&path)?)
}

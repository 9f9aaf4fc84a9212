//! How a broken store turns keys into places: where two keys share a place, one overwrites the other.

use larder::key::{Key, Prefix};

use crate::table::Bug;

fn segments(path: &str, change: impl Fn(&str) -> String) -> String {
    path.split('/').map(change).collect::<Vec<_>>().join("/")
}

/// The place of a key.
pub(crate) fn place(bug: Bug, key: &Key) -> String {
    let (namespace, path) = (key.namespace_str(), key.path());
    let path = match bug {
        Bug::CaseFold => path.to_ascii_lowercase(),
        Bug::UnicodeCaseFold => path
            .chars()
            .map(|c| if c.is_ascii() { c.to_string() } else { c.to_lowercase().to_string() })
            .collect(),
        Bug::NfcNormalize => {
            path.replace("e\u{301}", "é").replace("n\u{303}", "ñ").replace('\u{212b}', "Å")
        }
        Bug::NfkcNormalize => {
            path.replace('ﬁ', "fi").replace('ｆ', "f").replace('①', "1").replace('²', "2")
        }
        Bug::TrimDots => segments(path, |s| s.trim_end_matches('.').into()),
        Bug::TrimSpaces => segments(path, |s| s.trim().into()),
        Bug::ColonCut => segments(path, |s| s.split(':').next().unwrap_or(s).into()),
        Bug::PercentDecode => path.replace("%41", "A").replace("%20", " ").replace("%c3%a9", "é"),
        Bug::PercentDouble => path.replace("%25", "%"),
        Bug::PlusToSpace => path.replace('+', " "),
        Bug::QueryCut => path.split('?').next().unwrap_or(path).into(),
        Bug::HashCut => path.split('#').next().unwrap_or(path).into(),
        Bug::QuoteDoubled => path.replace("''", "'"),
        Bug::EntityDecode => path.replace("&amp;", "&").replace("&lt;", "<"),
        Bug::ZeroWidthStripped => path.replace(['\u{200b}', '\u{feff}'], ""),
        Bug::EmojiMangled => {
            path.chars().map(|c| if u32::from(c) > 0xffff { '?' } else { c }).collect()
        }
        Bug::SegmentCut200 => segments(path, |s| cut(s, 200).into()),
        Bug::KeyCut1000 => cut(path, 1000 - namespace.len()).into(),
        Bug::LockClobbers if path.ends_with(".lock") => ".lock".into(),
        Bug::NumberFold => {
            segments(path, |s| s.parse::<f64>().map_or_else(|_| s.into(), |n| n.to_string()))
        }
        Bug::SidecarsMixed if path.ends_with(".metadata") => path.replace(".metadata", ".config"),
        Bug::BackslashToSlash => path.replace('\\', "/"),
        Bug::SlashToDash => path.replace('/', "-"),
        Bug::LookAlikes => path.replace('а', "a").replace('о', "o"),
        Bug::DeepPathCut => path.split('/').take(64).collect::<Vec<_>>().join("/"),
        Bug::SegmentsCollapse => {
            let mut kept: Vec<&str> = path.split('/').collect();
            kept.dedup();
            kept.join("/")
        }
        Bug::ShortHash => {
            let hash =
                path.bytes().fold(7_u32, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into()));
            (hash % 64).to_string()
        }
        Bug::LongNamesWrong if path.len() > 12 => {
            let mut shorter = path.to_owned();
            shorter.pop();
            shorter
        }
        _ => path.into(),
    };
    let namespace = match bug {
        Bug::NsIgnored => return path,
        Bug::NsConcat => return format!("{namespace}{path}"),
        Bug::NsUnderscore => return format!("{namespace}_{path}").replace('/', "_"),
        Bug::NsCaseFold => namespace.to_ascii_lowercase(),
        Bug::RootIsDefault if namespace.is_empty() => "default".into(),
        Bug::DataIsRoot if namespace == "data" => return path,
        Bug::NsCut64 => cut(namespace, 64).into(),
        _ => namespace.to_owned(),
    };
    if namespace.is_empty() { path } else { format!("{namespace}/{path}") }
}

/// The beginning of a text that has at most so many bytes.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=text.len().min(most)).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or_default()]
}

/// Whether a listing of this folder shows this key.
pub(crate) fn shows(bug: Bug, prefix: &Prefix, key: &Key, cursor_space: Option<&str>) -> bool {
    let top = prefix.as_str() == prefix.namespace().everything().as_str();
    let text = prefix.as_str().trim_end_matches('/');
    match bug {
        Bug::StringPrefix if !top => {
            key.as_str().starts_with(text) && key.namespace() == *prefix.namespace()
        }
        Bug::NsPrefix if top && !text.is_empty() => key.namespace_str().starts_with(text),
        Bug::LikePrefix => {
            like(prefix.as_str(), key.as_str()) && key.namespace() == *prefix.namespace()
        }
        Bug::NsLike if top => like(prefix.as_str(), key.as_str()),
        Bug::NsIgnored if top => true,
        Bug::RootListsAll if prefix.as_str().is_empty() => true,
        Bug::CursorNs if top => {
            cursor_space.unwrap_or(prefix.namespace().as_str()) == key.namespace_str()
        }
        Bug::KeyAsFolder => prefix.contains(key) || key.as_str() == text,
        _ => prefix.contains(key),
    }
}

/// `_` matches any character, at the beginning of the text.
fn like(pattern: &str, text: &str) -> bool {
    let mut rest = text.chars();
    pattern.chars().all(|p| rest.next().is_some_and(|c| p == '_' || p == c))
}

/// The order keys are listed in.
pub(crate) fn sort(bug: Bug, keys: &mut [Key]) {
    match bug {
        Bug::WalkOrder => keys.sort_by(|a, b| a.as_str().split('/').cmp(b.as_str().split('/'))),
        Bug::CaseOrder => keys.sort_by_key(|key| (key.as_str().to_lowercase(), key.clone())),
        Bug::Utf16Order => {
            keys.sort_by(|a, b| a.as_str().encode_utf16().cmp(b.as_str().encode_utf16()))
        }
        Bug::ReverseOrder => {
            keys.sort();
            keys.reverse();
        }
        _ => keys.sort(),
    }
}

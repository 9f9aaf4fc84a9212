//! What must never be in the code, held by reading it.

use std::fs;
use std::path::{Path, PathBuf};

/// The sources below a folder, but for files of unit tests.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    // The contract of a folder stands in the file beside it.
    let beside = root.join(format!("{folder}.rs"));
    if let Ok(text) = fs::read_to_string(&beside) {
        found.push((beside, text));
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).expect("a source");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn none_of(found: &[(PathBuf, String)], words: &[&str]) {
    for (path, text) in found {
        for word in words {
            assert!(!code(text).contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let cache = sources("src/cache");
    none_of(&cache, &["axum", "tokio", "crate::http", "crate::config", "StatusCode"]);
    none_of(&cache, &["storage::memory", "storage::disk", "storage::sqlite", "storage::s3"]);
    for beside in ["src/check", "src/copy"] {
        let found = sources(beside);
        none_of(&found, &["axum", "tokio", "crate::http", "crate::config", "indicatif"]);
        none_of(&found, &["storage::memory", "storage::disk", "storage::sqlite", "storage::s3"]);
    }
    let storage: Vec<_> = sources("src/storage")
        .into_iter()
        .filter(|(path, _)| !path.ends_with("storage/open.rs"))
        .collect();
    none_of(&storage, &["crate::cache", "crate::http", "crate::config"]);
    none_of(&sources("src/config"), &["crate::cache", "crate::http", "crate::storage"]);
}

#[test]
fn only_the_settings_read_the_environment() {
    let others: Vec<_> = sources("src")
        .into_iter()
        .filter(|(path, _)| !path.to_string_lossy().contains("src/config"))
        .collect();
    none_of(&others, &["env::var", "env::args"]);
}

#[test]
fn only_one_file_picks_the_status_of_an_error() {
    let others: Vec<_> = sources("src/http")
        .into_iter()
        .filter(|(path, _)| !path.ends_with("http/error.rs"))
        .collect();
    for (path, text) in others {
        let mut code = code(&text);
        for success in ["OK", "NO_CONTENT", "TEMPORARY_REDIRECT"] {
            code = code.replace(&format!("StatusCode::{success}"), "");
        }
        assert!(!code.contains("StatusCode::"), "{} picks a status", path.display());
    }
}

#[test]
fn the_raw_door_to_keys_is_used_by_the_storage_browser_alone() {
    // Backends report what they find on their medium; who asks for it is another matter.
    let users: Vec<_> = [sources("src/cache"), sources("src/http")]
        .into_iter()
        .flatten()
        .filter(|(_, text)| code(text).contains("parse_physical"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(users.len(), 1, "{users:?}");
    assert!(users[0].ends_with("cache/admin.rs"));
}

#[test]
fn readme_lists_every_variable() {
    let readme = include_str!("../../README.md").replace("\r\n", "\n");
    let table = larder::config::readme_table();
    assert!(readme.contains(table.trim()), "README.md should hold this:\n\n{table}");
}

#[test]
fn no_file_is_too_long_to_read() {
    for folder in ["src", "tests/it", "conformance/src", "conformance/tests"] {
        for (path, text) in sources(folder) {
            let lines = code(&text).lines().count();
            assert!(lines <= 600, "{} has {lines} lines", path.display());
        }
    }
}

//! Listing seeks; what is no key is passed by.

use larder::storage::Depth;
use larder::storage::blocking::BlockingStorage;

use crate::help::{Home, keys, namespace, page};

#[test]
fn rows_that_are_no_keys_are_passed_by_and_left_alone() {
    let home = Home::new();
    home.put("team/x", "value");
    for stray in [
        "",
        "/",
        "top-level",
        "team",
        "team/",
        "team//y",
        "team/../z",
        "team/tab\there",
        "no.namespace/f",
        "é/f",
        "zzz//only",
    ] {
        home.insert(stray, b"stray");
    }
    home.insert(rusqlite::types::Null, b"stray");
    home.insert(5, b"stray");
    home.insert(b"team/blob", b"stray");
    home.raw()
        .execute("INSERT INTO memory_fs_files (path) VALUES (CAST(x'7465616d2fff' AS TEXT))", [])
        .unwrap();
    let count = || {
        let sql = "SELECT count(*) FROM memory_fs_files";
        home.raw().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let before = count();
    assert_eq!(home.keys(), ["team/x"]);
    assert_eq!(page(&home.store, "team", "", Depth::Children).folders, []);
    assert_eq!(keys(&home.store, ""), [""; 0]);
    assert_eq!(home.store.namespaces().unwrap(), [namespace("team")]);
    home.delete("team/x");
    assert_eq!(count(), before - 1);
}

#[test]
fn names_with_pattern_characters_are_names() {
    let home = Home::new();
    for name in ["team/a_b/1", "team/aXb/1", "team/a%/1", "team/a%b/1", "team/A_B/1", "team/a*/1"] {
        home.put(name, "value");
    }
    for folder in ["a_b", "a%", "A_B", "a*"] {
        let page = page(&home.store, "team", folder, Depth::All);
        let names: Vec<_> = page.entries.iter().map(|entry| entry.key.to_string()).collect();
        assert_eq!(names, [format!("team/{folder}/1")]);
    }
}

#[test]
fn the_root_namespace_is_apart_from_those_between_its_keys() {
    let home = Home::new();
    let own = ["data/direct/a", "data/z/b", "refs/by-id/a"];
    for name in own {
        home.put(name, "root's");
    }
    for other in ["data/data/a", "data/refs/a", "date/a", "e/a", "refs/data/a", "a/a", "z/a"] {
        home.put(other, "another's");
    }
    assert_eq!(keys(&home.store, ""), own);
    assert_eq!(keys(&home.store, "data"), ["data/data/a", "data/refs/a"]);
    assert_eq!(keys(&home.store, "refs"), ["refs/data/a"]);
    let names: Vec<_> = home.store.namespaces().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "data", "date", "e", "refs", "z"]);
}

/// Every statement of the store is answered from the index, in its order: nothing scans or sorts.
#[test]
fn ranges_of_paths_are_read_off_the_index() {
    let home = Home::new();
    let raw = home.raw();
    for (sql, wanted) in [
        (
            "SELECT path, octet_length(data) FROM memory_fs_files \
                 INDEXED BY idx__memory_fs_files__path \
             WHERE path >= 'a/' AND path < 'a0' ORDER BY path, id",
            "SEARCH memory_fs_files USING INDEX idx__memory_fs_files__path (path>? AND path<?)",
        ),
        (
            "SELECT data FROM memory_fs_files INDEXED BY idx__memory_fs_files__path \
             WHERE path = 'a/b' ORDER BY id DESC LIMIT 1",
            "SEARCH memory_fs_files USING INDEX idx__memory_fs_files__path (path=?)",
        ),
    ] {
        let mut statement = raw.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        assert_eq!(plan.collect::<Result<Vec<_>, _>>().unwrap(), [wanted]);
    }
}

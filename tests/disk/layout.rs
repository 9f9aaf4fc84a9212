//! The layout on disk is the Python service's, and nothing of the store's own is seen as a key.

use std::fs;
use std::path::Path;

use larder::key::{Namespace, RelPath};
use larder::storage::blocking::BlockingStorage;
use larder::storage::disk::Disk;
use larder::storage::{Depth, Durability};

use crate::help::{Home, batch_of, key, keys, namespace, open, page, text};

const GOLDEN: &[u8] = include_bytes!("../data/local-disk.tar");
const GOLDEN_FILES: &str = include_str!("../data/local-disk.files");

#[test]
fn a_tree_of_the_python_service_is_served() {
    let dir = tempfile::tempdir().unwrap();
    unpack(GOLDEN, dir.path());
    let disk = Disk::open(dir.path(), Durability::Full).unwrap();

    let mut expected = Vec::new();
    for line in GOLDEN_FILES.lines() {
        let [sha256, size, name] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line:?}")
        };
        let object = disk.get(&key(name)).unwrap().unwrap();
        let stat = disk.stat(&key(name)).unwrap().unwrap();
        assert_eq!(format!("{:?}", object.version), format!("Version({sha256})"), "{name}");
        assert_eq!((object.bytes.len() as u64).to_string(), size, "{name}");
        assert_eq!((stat.size.bytes(), stat.version), (object.bytes.len() as u64, object.version));
        expected.push(name);
    }
    let mut found = keys(&disk, "alpha");
    found.extend(keys(&disk, "beta"));
    assert_eq!(found, expected);
    let names = disk.namespaces().unwrap();
    assert_eq!(names, [namespace("alpha"), namespace("beta")]);
}

#[test]
fn a_value_is_a_plain_file_at_its_key() {
    let home = Home::new();
    home.put("team/data/x.json", "one");
    home.put("team/data/x.json", "two");
    home.put("data/direct/root.json", "in the root namespace");
    assert_eq!(fs::read_to_string(home.file("team/data/x.json")).unwrap(), "two");
    assert_eq!(
        fs::read_to_string(home.file("data/direct/root.json")).unwrap(),
        "in the root namespace"
    );
    assert_eq!(names_in(home.dir.path()), [".larder", "data", "team"]);
    assert_eq!(names_in(&home.file("team/data")), ["x.json"]);
}

#[test]
fn namespaces_called_data_and_refs_are_not_the_root_namespace() {
    let home = Home::new();
    home.put("data/direct/a", "root's");
    home.put("data/data/direct/a", "of data");
    home.put("refs/data/by-id/a", "of refs");
    home.put("team/data/a", "of team");
    assert_eq!(keys(&home.disk, ""), ["data/direct/a"]);
    assert_eq!(keys(&home.disk, "data"), ["data/data/direct/a"]);
    assert_eq!(keys(&home.disk, "refs"), ["refs/data/by-id/a"]);
    let root = Namespace::root();
    assert!(root.key(RelPath::parse("team/data/a").unwrap()).is_err());
}

#[test]
fn the_stores_own_folder_is_no_namespace() {
    let home = Home::new();
    home.put("team/.larder/tmp/x", "a key like any other");
    assert_eq!(home.keys(), ["team/.larder/tmp/x"]);
    assert_eq!(home.disk.namespaces().unwrap(), [namespace("team")]);
    assert_eq!(names_in(&home.file(".larder")), ["locks-1", "names", "tmp"]);
}

#[test]
fn what_is_no_key_is_not_listed_and_not_touched() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let home = Home::new();
    home.put("team/x", "value");
    for stray in ["top-level", "lost+found/f", "team/tab\there", "no.namespace/f"] {
        fs::create_dir_all(home.file(stray).parent().unwrap()).unwrap();
        fs::write(home.file(stray), "stray").unwrap();
    }
    let not_unicode = home.file("team").join(OsStr::from_bytes(b"\xff\xfe"));
    fs::write(&not_unicode, "stray").unwrap();
    fs::create_dir_all(home.file("team/hollow/deep")).unwrap();
    fs::create_dir_all(home.file("hollow/deep")).unwrap();

    assert_eq!(home.keys(), ["team/x"]);
    assert_eq!(page(&home.disk, "team", "", Depth::Children).folders, []);
    assert_eq!(home.disk.namespaces().unwrap(), [namespace("team")]);
    home.delete("team/x");
    assert!(not_unicode.try_exists().unwrap());
    assert!(home.file("team/tab\there").try_exists().unwrap());
}

#[test]
fn a_folder_with_a_value_and_what_is_no_key_stays_where_it_is() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let home = Home::new();
    home.put("team/a/b", "value");
    home.put("team/a/b/c", "value");
    let not_unicode = home.file("team/a/b").join(OsStr::from_bytes(b"\xff\xfe"));
    fs::write(&not_unicode, "stray").unwrap();
    home.delete("team/a/b/c");
    assert!(not_unicode.try_exists().unwrap());
    assert_eq!(home.keys(), ["team/a/b"]);
    home.delete("team/a/b");
    assert!(not_unicode.try_exists().unwrap());
    assert_eq!(home.keys(), [""; 0]);
}

/// Each folder on the way down was tried ten times as often as the one above.
#[test]
fn what_cannot_be_removed_of_a_dead_owner_keeps_nobody_waiting() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let home = Home::new();
    let temp = home.file(".larder/tmp");
    let deep = temp.join("dead/1").join(["a"; 12].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(temp.join("dead.lock"), "").unwrap();
    let stray = deep.join(OsStr::from_bytes(b"\xff\xfe"));
    fs::write(&stray, "stray").unwrap();
    let again = Disk::open(home.dir.path(), Durability::Relaxed).unwrap();
    assert!(stray.try_exists().unwrap());
    drop(again);
}

#[test]
fn folders_go_with_their_last_file() {
    let home = Home::new();
    home.put("team/a/b/c/d", "1");
    home.put("team/a/x", "2");
    home.delete("team/a/b/c/d");
    assert_eq!(names_in(&home.file("team/a")), ["x"]);
    home.delete("team/a/x");
    assert_eq!(names_in(home.dir.path()), [".larder"]);
    home.delete("team/a/x");
}

#[test]
fn folders_made_for_a_refused_batch_go_too() {
    let home = Home::new();
    let mut batch = batch_of("team/x");
    batch.put(key("team/deep/er/x"), "1");
    batch.put_if(key("team/y"), "2", larder::storage::Expect::At("no".into()));
    assert!(home.disk.apply(batch).is_err());
    assert_eq!(names_in(home.dir.path()), [".larder"]);
    assert_eq!(files_in_making(home.dir.path()), 0);
}

#[test]
fn segments_of_255_bytes_work() {
    let home = Home::new();
    let long = "é".repeat(127) + "x";
    assert_eq!(long.len(), 255);
    let (value, below) = (format!("team/{long}"), format!("team/{long}/{long}"));
    home.put(&below, "below");
    home.put(&value, "beside");
    assert_eq!(home.text(&below).as_deref(), Some("below"));
    assert_eq!(home.keys(), [&*value, &*below]);
    home.delete(&below);
    assert_eq!(fs::read_to_string(home.file(&value)).unwrap(), "beside");
}

#[test]
fn the_longest_and_deepest_key_works() {
    let home = Home::new();
    let deep = format!("team{}", "/a".repeat(510));
    assert_eq!(deep.len(), 1024);
    home.put(&deep, "deep");
    home.put("team/a/a/b", "b");
    assert_eq!(home.text(&deep).as_deref(), Some("deep"));
    assert_eq!(home.keys(), [&*deep, "team/a/a/b"]);
    home.delete(&deep);
    assert_eq!(names_in(&home.file("team/a/a")), ["b"]);
}

#[test]
fn a_missing_root_is_made_with_its_parents() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("not/yet/there");
    let disk = Disk::open(&root, Durability::Full).unwrap();
    assert_eq!(disk.root(), root);
    assert_eq!(disk.namespaces().unwrap(), []);
}

#[test]
fn opening_again_and_again_leaves_nothing() {
    let home = Home::new();
    home.put("team/x", "value");
    for _ in 0..20 {
        let again = open(home.dir.path());
        assert_eq!(text(&again, "team/x").unwrap().as_deref(), Some("value"));
    }
    assert_eq!(names_in(&home.file(".larder/tmp")).len(), 2, "one folder and its lock");
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Files that wait to be put in their place, of all users of a store.
pub(crate) fn files_in_making(root: &Path) -> usize {
    let temp = root.join(".larder/tmp");
    names_in(&temp)
        .iter()
        .filter(|name| !name.ends_with(".lock"))
        .map(|name| names_in(&temp.join(name)).len())
        .sum()
}

/// Files of a plain tar archive.
fn unpack(archive: &[u8], to: &Path) {
    let text = |field: &[u8]| {
        let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
        String::from_utf8(field[..end].to_vec()).unwrap()
    };
    let mut rest = archive;
    while rest.len() >= 512 && rest[0] != 0 {
        let (name, prefix, kind) = (text(&rest[..100]), text(&rest[345..500]), rest[156]);
        let size = usize::from_str_radix(text(&rest[124..136]).trim(), 8).unwrap();
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        match kind {
            b'0' => {
                let path = to.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &rest[512..512 + size]).unwrap();
            }
            b'5' => fs::create_dir_all(to.join(name)).unwrap(),
            _ => panic!("a member of another kind: {name}"),
        }
        rest = &rest[512 + size.next_multiple_of(512)..];
    }
}

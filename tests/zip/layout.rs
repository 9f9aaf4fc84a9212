//! What is in the archive: what the Python service and other readers find, and what they may have left.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use larder::storage::Expect;
use larder::storage::blocking::BlockingStorage;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::help::{
    Home, archive, batch_of, files, key, keys, members, open, put, python, sound_members, text,
    version,
};

const GOLDEN_FILES: &str = include_str!("../data/zip.files");

fn golden(home: &Path) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cache.zip");
    fs::copy(data, archive(home)).unwrap();
}

#[test]
fn an_archive_of_the_python_service_is_read_byte_for_byte() {
    let home = tempfile::tempdir().unwrap();
    golden(home.path());
    let before = fs::read(archive(home.path())).unwrap();
    let store = open(home.path());
    let (mut listed, mut count) = (keys(&store, "alpha"), 0);
    listed.extend(keys(&store, "beta"));
    for line in GOLDEN_FILES.lines() {
        let [hash, size, name] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!() };
        let object = store.get(&key(name)).unwrap().unwrap();
        let found: String =
            Sha256::digest(&object.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((found.as_str(), object.bytes.len()), (hash, size.parse().unwrap()), "{name}");
        assert_eq!(store.stat(&key(name)).unwrap().unwrap().version, object.version);
        assert!(listed.contains(&name.to_owned()), "{name} is not listed");
        count += 1;
    }
    assert_eq!((count, listed.len()), (166, 166));
    drop(store);
    assert_eq!(fs::read(archive(home.path())).unwrap(), before, "reading changed the archive");
    assert_eq!(files(home.path()), ["cache.zip"]);
}

#[test]
fn what_is_stored_is_read_elsewhere_in_upstreams_layout() {
    let home = Home::new();
    home.put("team/data/é😀", "unicode");
    home.put("team/data/empty", "");
    home.put("team/data/text", &"over and over ".repeat(1000));
    home.put("team/data/text/below", "a key below a key");
    home.store.checkpoint().unwrap();
    home.put("team/data/empty", "not any more");
    let dir = home.close();
    assert_eq!(files(dir.path()), ["cache.zip"]);
    let found = members(&archive(dir.path()));
    assert_eq!(found["team/data/é😀"], b"unicode");
    assert_eq!(found["team/data/empty"], b"not any more");
    assert_eq!(found["team/data/text"].len(), 14_000);
    assert_eq!(found["team/data/text/below"], b"a key below a key");
    // In the order of the last write, deflated, as a Python program would have written them.
    let program = "import sys, zipfile\nfor i in zipfile.ZipFile(sys.argv[1]).infolist():\n  \
                   print(i.filename.encode(), i.compress_type, i.is_dir(), i.comment, i.extra, \
                   i.create_system, i.create_version, i.extract_version, oct(i.external_attr >> 16))";
    let names = [
        r"team/data/\xc3\xa9\xf0\x9f\x98\x80",
        "team/data/text",
        "team/data/text/below",
        "team/data/empty",
    ];
    let attributes = "8 False b'' b'' 3 20 20 0o600";
    let expected = names.map(|name| format!("b'{name}' {attributes}\n")).concat();
    assert_eq!(python(program, &archive(dir.path())), expected.trim());
}

#[test]
fn the_archive_is_sound_at_every_moment() {
    let home = Home::new();
    assert_eq!(sound_members(&home.archive()), 0, "a new store is an archive");
    for round in 1..=4 {
        for n in 0..5 {
            home.put(&format!("team/{round}/{n}"), &"value ".repeat(n * 100));
        }
        // What is not there yet is beside it.
        assert_eq!(sound_members(&home.archive()), (round - 1) * 5);
        home.store.checkpoint().unwrap();
        assert_eq!(sound_members(&home.archive()), round * 5);
        assert_eq!(members(&home.archive()).len(), round * 5);
        assert_eq!(files(home.dir.path()), ["cache.zip"]);
    }
    let unzip = std::process::Command::new("unzip").arg("-tq").arg(home.archive()).output();
    match unzip {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => crate::help::announce("the archive as unzip sees it: unzip is not installed"),
    }
}

#[test]
fn more_members_than_16_bits_count() {
    const COUNT: usize = 65_600;
    let home = Home::new();
    for start in (0..COUNT).step_by(400) {
        let mut batch = batch_of("team/x");
        for n in start..start + 400 {
            batch.put(key(&format!("team/data/{n:05}")), format!("{n}"));
        }
        home.store.apply(batch).unwrap();
    }
    let dir = home.close();
    assert_eq!(sound_members(&archive(dir.path())), COUNT);
    let store = open(dir.path());
    assert_eq!(keys(&store, "team").len(), COUNT);
    assert_eq!(text(&store, "team/data/65599").unwrap().as_deref(), Some("65599"));
    put(&store, "team/data/00000", "new").unwrap();
    drop(store);
    assert_eq!(sound_members(&archive(dir.path())), COUNT);
    let mut found = members(&archive(dir.path()));
    assert_eq!(found.remove("team/data/00000").unwrap(), b"new");
    assert_eq!(found.remove("team/data/65535").unwrap(), b"65535");
}

/// An archive as other programs make them.
fn by_another_hand(path: &Path) {
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let deflated = stored.compression_method(CompressionMethod::Deflated);
    writer.add_directory("team/folder/", stored).unwrap();
    for (name, value, options) in [
        ("team/stored", "not compressed", stored),
        ("team/deflated", "compressed", deflated),
        ("../outside", "kept", deflated),
        ("/absolute", "kept", stored),
        ("no-namespace", "kept", deflated),
        ("a.b/c", "kept", deflated),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(value.as_bytes()).unwrap();
    }
    writer.set_comment("made elsewhere").unwrap();
    writer.finish().unwrap();
}

#[test]
fn what_is_no_key_is_kept_and_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    by_another_hand(&archive(dir.path()));
    let store = open(dir.path());
    assert_eq!(keys(&store, "team"), ["team/deflated", "team/stored"]);
    assert_eq!(store.namespaces().unwrap().len(), 1);
    assert_eq!(text(&store, "team/stored").unwrap().as_deref(), Some("not compressed"));
    assert_eq!(text(&store, "team/deflated").unwrap().as_deref(), Some("compressed"));
    put(&store, "team/deflated", "replaced").unwrap();
    put(&store, "team/folder/new", "in it").unwrap();
    drop(store);
    let program = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
                   assert z.testzip() is None\nprint(z.comment, z.namelist(), z.read('../outside'))";
    assert_eq!(
        python(program, &archive(dir.path())),
        "b'made elsewhere' ['team/folder/', 'team/stored', '../outside', '/absolute', \
         'no-namespace', 'a.b/c', 'team/deflated', 'team/folder/new'] b'kept'"
    );
}

#[test]
fn of_several_members_of_one_name_the_last_counts() {
    let dir = tempfile::tempdir().unwrap();
    let program = "import sys, warnings, zipfile\nwarnings.simplefilter('ignore')\n\
                   with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n  \
                   for n in ('a', 'b', 'a'): z.writestr('team/' + n, f'{n} {len(z.namelist())}')";
    python(program, &archive(dir.path()));
    let store = open(dir.path());
    assert_eq!(text(&store, "team/a").unwrap().as_deref(), Some("a 2"));
    put(&store, "team/c", "new").unwrap();
    drop(store);
    assert_eq!(sound_members(&archive(dir.path())), 3);
    assert_eq!(members(&archive(dir.path()))["team/a"], b"a 2");
}

/// The Python service takes its turn: other bytes of the same length and checksum are another version.
#[test]
fn versions_hold_across_restarts_and_other_writers() {
    // Two texts with one CRC-32.
    let (one, other) = ("plumless", "buckeroo");
    let home = Home::new();
    home.put("team/a", one);
    home.put("team/b", "b");
    let (a, b) = (version(&home.store, "team/a"), version(&home.store, "team/b"));
    let dir = home.close();
    let program = format!(
        "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
         all = {{n: z.read(n) for n in z.namelist()}}\n\
         assert zipfile.crc32(b'{one}') == zipfile.crc32(b'{other}')\nall['team/a'] = b'{other}'\n\
         with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n  \
         for n in all: z.writestr(n, all[n])"
    );
    python(&program, &archive(dir.path()));
    let store = open(dir.path());
    let stat = store.stat(&key("team/a")).unwrap().unwrap();
    assert_ne!(stat.version, a);
    assert_eq!(version(&store, "team/b"), b);
    let guarded = |expect| {
        let mut batch = batch_of("team/a");
        batch.put_if(key("team/a"), "guarded", expect);
        store.apply(batch)
    };
    assert!(guarded(Expect::At(a)).is_err());
    guarded(Expect::At(stat.version)).unwrap();
}

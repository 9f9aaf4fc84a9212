use std::io::{Cursor, Read, Write as _};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rstest::rstest;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::super::{Settings, digest};
use super::*;
use crate::storage::memory::Memory;

mod spoilt;

const LIMITS: ArchiveLimits =
    ArchiveLimits { max_members: 20, max_total_bytes: 1 << 20, max_ratio: 1000 };

/// 2026-11-22 09:26:40 UTC.
const NOW_MS: u64 = 1_795_339_600_000;

/// An archive by another hand, dated 1999.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::from_date_and_time(1999, 12, 31, 23, 59, 58).unwrap());
    for (name, content) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.set_comment("made elsewhere").unwrap();
    writer.finish().unwrap().into_inner()
}

/// Names and contents, as another reader finds them.
fn elsewhere(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn names(bytes: &[u8]) -> Vec<String> {
    let directory = Directory::read(bytes, 100).unwrap();
    directory.members.iter().map(|member| member.name.to_string()).collect()
}

fn read(bytes: &[u8], name: &str) -> Result<Vec<u8>, Refusal> {
    let directory = Directory::read(bytes, LIMITS.max_members)?;
    let member = directory.member(name).ok_or_else(|| Refusal::NoMember(name.to_owned()))?;
    contents::read(&directory, member, &LIMITS)
}

fn hash(bytes: &[u8]) -> Result<digest::Digest, Refusal> {
    Draft::of(&Directory::read(bytes, LIMITS.max_members)?).hash(&LIMITS)
}

fn added(bytes: &[u8], name: &str, content: &[u8]) -> Result<Finished, Refusal> {
    Change::Add { name, content }.plan(bytes, &LIMITS, NOW_MS)
}

fn batched(bytes: &[u8], request: &BatchRequest) -> Result<(Progress, Option<Finished>), Refusal> {
    let directory = Directory::read(bytes, LIMITS.max_members)?;
    let mut draft = Draft::of(&directory);
    let progress = batch::run(&mut draft, request, &LIMITS)?;
    let finished = match progress.given_up {
        None => Some(draft.finish(&LIMITS, NOW_MS)?),
        Some(_) => None,
    };
    Ok((progress, finished))
}

#[test]
fn hashes_are_those_of_the_contents() {
    let (there, back) = (("a.txt", b"hello".as_slice()), ("b.txt", b"world".as_slice()));
    for members in [[there, back], [back, there]] {
        assert_eq!(hash(&archive(&members)).unwrap().as_str(), "a1b59b92780961e1");
    }
    assert_eq!(hash(EMPTY).unwrap().as_str(), "e3b0c44298fc1c14");
    assert_eq!(hash(&archive(&[("é.txt", b"x")])).unwrap().as_str(), "d0e4e86b4893ee17");
    assert_eq!(hash(EMPTY).unwrap(), digest::of_members::<&str, &[u8]>([]));
}

#[test]
fn what_is_added_is_read_elsewhere() {
    let long = b"over and over ".repeat(100);
    let first = added(EMPTY, "a/long.txt", &long).unwrap();
    let second = added(&first.bytes, "../../up", b"").unwrap();
    let expected = [("a/long.txt".to_owned(), long.clone()), ("../../up".to_owned(), Vec::new())];
    assert_eq!(elsewhere(&second.bytes), expected);
    assert!(second.bytes.len() < long.len());
    assert_eq!(hash(&second.bytes).unwrap(), second.hash);
    let mut archive = ZipArchive::new(Cursor::new(&second.bytes[..])).unwrap();
    let date = archive.by_index(0).unwrap().last_modified().unwrap();
    assert_eq!(date.to_string(), "2026-11-22 09:26:40");
}

#[test]
fn untouched_members_keep_data_and_date() {
    let old = archive(&[("keep", &b"compressed well ".repeat(50)), ("é", b"x"), ("go", b"y")]);
    let new = Change::Remove { name: "go" }.plan(&old, &LIMITS, NOW_MS).unwrap();
    let (old, new) = (Directory::read(&old, 9).unwrap(), Directory::read(&new.bytes, 9).unwrap());
    assert_eq!(new.comment, b"made elsewhere");
    assert_eq!(new.members.len(), 2);
    for (old_member, new_member) in old.members.iter().zip(&new.members) {
        assert_eq!(old_member.name, new_member.name);
        assert_eq!((old_member.date, old_member.time), (new_member.date, new_member.time));
        assert_eq!(old_member.external_attributes, new_member.external_attributes);
        let old_data = old.locate(old_member).unwrap().packed;
        assert_eq!(old_data, new.locate(new_member).unwrap().packed);
    }
}

#[test]
fn of_one_name_the_later_member_is_read() {
    let twice = added(&added(EMPTY, "a", b"old").unwrap().bytes, "a", b"new").unwrap();
    assert_eq!(names(&twice.bytes), ["a", "a"]);
    assert_eq!(read(&twice.bytes, "a").unwrap(), b"new");
    assert_eq!(twice.hash, added(EMPTY, "a", b"new").unwrap().hash);
    let gone = Change::Remove { name: "a" }.plan(&twice.bytes, &LIMITS, NOW_MS).unwrap();
    assert_eq!(gone.bytes, EMPTY[..]);
}

#[test]
fn what_stands_before_an_archive_does_not_matter() {
    let archive = archive(&[("a", b"1")]);
    let shifted = [b"#!/bin/sh PK\x01\x02 PK\x05\x06".as_slice(), &archive].concat();
    assert_eq!(read(&shifted, "a").unwrap(), b"1");
    assert_eq!(hash(&shifted), hash(&archive));
}

fn operation(action: Action, path: &str) -> Operation {
    Operation { action: Some(action), path: Some(path.to_owned()), ..Operation::default() }
}

fn with_content(action: Action, path: &str, content: &str) -> Operation {
    Operation { content: Some(content.to_owned()), ..operation(action, path) }
}

#[rstest]
#[case(with_content(Action::Add, "/new", "x"), "", &["a", "b", "dir/c", "new"])]
#[case(with_content(Action::Add, "a", "x"), "", &["a", "b", "dir/c", "a"])]
#[case(with_content(Action::Replace, "a", "x"), "", &["b", "dir/c", "a"])]
#[case(operation(Action::Remove, "dir/c"), "", &["a", "b"])]
#[case(operation(Action::Remove, "dir"), "Atomic batch failed", &[])]
#[case(
    Operation { pattern: Pattern::clean("[ab]").unwrap(), ..operation(Action::Remove, "dir/c") },
    "",
    &["dir/c"],
)]
#[case(
    Operation { new_path: Some("\\z".to_owned()), ..operation(Action::Rename, "a") },
    "",
    &["b", "dir/c", "z"],
)]
#[case(
    Operation { path: None, ..with_content(Action::Add, "", "x") },
    "Atomic batch failed: path required for add operation",
    &[],
)]
#[case(
    with_content(Action::Add, "a-b", ""),
    "Atomic batch failed: Content required for add operation on a_b",
    &[],
)]
#[case(operation(Action::Get, "a"), "Atomic batch failed: Unknown action: get", &[])]
#[case(Operation::default(), "Atomic batch failed: Unknown action: None", &[])]
#[case(
    Operation { condition: Condition::IfNotExists, ..with_content(Action::Add, "/a", "x") },
    "",
    &["a", "b", "dir/c"],
)]
fn one_operation(#[case] operation: Operation, #[case] given_up: &str, #[case] left: &[&str]) {
    let archive = archive(&[("a", b"1"), ("b", b"2"), ("dir/c", b"3")]);
    let request = BatchRequest { atomic: true, operations: vec![operation] };
    let (progress, finished) = batched(&archive, &request).unwrap();
    assert_eq!(progress.given_up.unwrap_or_default(), given_up);
    assert_eq!(finished.map(|finished| names(&finished.bytes)).unwrap_or_default(), left);
}

#[test]
fn expensive_patterns_are_refused() {
    let pattern = Pattern::clean(&"*a".repeat(256)).unwrap();
    let archive = archive(&[(&"a".repeat(60_000), b"")]);
    let remove = Operation { pattern, ..operation(Action::Remove, "a") };
    let request = BatchRequest { atomic: false, operations: vec![remove; 20] };
    assert!(batched(&archive, &request).is_ok(), "long names are matched by nothing");
    let limits = ArchiveLimits { max_members: 1000, ..LIMITS };
    let directory = Directory::read(&archive, 1).unwrap();
    let operations = vec![request.operations[0].clone(); 100];
    let request = BatchRequest { atomic: false, operations };
    let refusal = batch::run(&mut Draft::of(&directory), &request, &limits).unwrap_err();
    assert_eq!(refusal, Refusal::TooManyPatterns);
}

/// Where the directory of an archive without a comment starts.
fn directory_at(bytes: &[u8]) -> usize {
    let at = bytes.len() - 6;
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn bare() -> Vec<u8> {
    added(&added(EMPTY, "a", &b"A".repeat(500)).unwrap().bytes, "b", b"B").unwrap().bytes.to_vec()
}

#[rstest]
#[case::encrypted(|bytes: &mut Vec<u8>, at| bytes[at + 8] |= 1, "File 'a' is encrypted")]
#[case::method(
    |bytes: &mut Vec<u8>, at| { bytes[8] = 12; bytes[at + 10] = 12; },
    "File 'a' is compressed in a way other than deflate"
)]
#[case::checksum(
    |bytes: &mut Vec<u8>, at| bytes[at + 16] ^= 1,
    "File 'a' does not match its checksum"
)]
#[case::name(
    |bytes: &mut Vec<u8>, _| bytes[30] = b'z',
    "File 'a' has another name in its own header"
)]
#[case::size(
    |bytes: &mut Vec<u8>, at| bytes[at + 24] ^= 1,
    "File 'a' is described in two ways that contradict each other"
)]
#[case::sizes(
    |bytes: &mut Vec<u8>, at| { bytes[22..26].fill(0xfe); bytes[at + 24..at + 28].fill(0xfe); },
    "File 'a' has another size than the archive says"
)]
#[case::long(
    |bytes: &mut Vec<u8>, at| bytes[at + 22] = 1,
    "File 'a' is longer than the archive"
)]
#[case::elsewhere(
    |bytes: &mut Vec<u8>, at| bytes[at + 45] = 0x7f,
    "File 'a' is outside the archive"
)]
#[case::overlap(
    |bytes: &mut Vec<u8>, at| {
        let record = bytes[at..at + 47].to_vec();
        bytes.splice(at + 47..at + 94, record);
    },
    "File 'a' overlaps another member"
)]
#[case::truncated(|bytes: &mut Vec<u8>, _| bytes.truncate(100), "File is not a zip file")]
#[case::record(
    |bytes: &mut Vec<u8>, at| bytes[at] = b'p',
    "Bad magic number for central directory"
)]
fn hostile_archives_are_refused(#[case] harm: fn(&mut Vec<u8>, usize), #[case] refusal: &str) {
    let mut bytes = bare();
    let at = directory_at(&bytes);
    harm(&mut bytes, at);
    assert_eq!(hash(&bytes).unwrap_err().to_string(), refusal);
    assert_eq!(added(&bytes, "c", b"C").unwrap_err().to_string(), refusal);
}

#[test]
fn bombs_are_refused() {
    let dense = added(EMPTY, "bomb", &vec![0; 1 << 16]).unwrap().bytes;
    let total = ArchiveLimits { max_total_bytes: (1 << 16) - 1, ..LIMITS };
    let directory = Directory::read(&dense, 1).unwrap();
    let refused = |limits| Draft::of(&directory).hash(limits).unwrap_err();
    assert_eq!(refused(&total), Refusal::TooManyBytes { limit: total.max_total_bytes });
    let member = directory.member("bomb").unwrap();
    assert!(contents::read(&directory, member, &total).unwrap_err().is_limit());
    assert!(Directory::read(&bare(), 1).unwrap_err().is_limit());
    assert!(added(&bare(), "c", b"").is_ok());
    let few = ArchiveLimits { max_members: 2, ..LIMITS };
    let change = Change::Add { name: "c", content: b"" };
    assert!(change.plan(&bare(), &few, NOW_MS).unwrap_err().is_limit());
}

#[test]
fn long_messages_keep_their_end() {
    assert_eq!(shown("a/b-c 'd' (e): \"f.g\"\n"), "a_b_c 'd' (e): \"f.g\"_");
    let long = shown(&format!("{} (new cache_id: 7)", "é".repeat(600)));
    assert_eq!(long.len(), LONGEST_MESSAGE);
    assert!(long.ends_with("_ (new cache_id: 7)"));
}

#[rstest]
#[case("plain.txt", "plain.txt")]
#[case("é/ü", "_/_")]
#[case("___", "___")]
#[case(" é ", "_")]
fn names_in_lists_are_cleaned(#[case] name: &str, #[case] listed: &str) {
    assert_eq!(listed_name(name), listed);
    assert_eq!(listed_name(&"n".repeat(2000)).len(), 1024);
}

/// The memory store never waits, so neither does anything over it.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the memory store waits for nothing"),
    }
}

#[test]
fn a_failed_atomic_batch_leaves_everything_as_it_was() {
    let cache = Cache::new(Arc::new(Memory::new()), Settings::default());
    let namespace = Namespace::clean("ns").unwrap();
    let place = ArchivePlace {
        namespace: &namespace,
        strategy: Strategy::KeyBased,
        cache_key: "k",
        file_id: Some("f"),
    };
    let original = Bytes::from(archive(&[("a", b"1")]));
    let stored = now(cache.store_archive(place, original.clone())).unwrap();
    let id = *stored.entry.cache_id();
    let entries = || now(cache.ids(&namespace)).unwrap();
    let before = entries();
    let operations =
        vec![with_content(Action::Add, "b", "2"), operation(Action::Remove, "not there")];
    let request = BatchRequest { atomic: true, operations };
    let done = now(cache.batch(&namespace, &id, &request)).unwrap();
    assert_eq!(done.cache_id, id);
    assert_eq!(entries(), before);
    assert_eq!(now(cache.archive(&namespace, &id)).unwrap().1, original);

    let request = BatchRequest { atomic: false, ..request };
    let done = now(cache.batch(&namespace, &id, &request)).unwrap();
    assert_ne!(done.cache_id, id);
    let (reference, bytes) = now(cache.archive(&namespace, &done.cache_id)).unwrap();
    assert_eq!(reference.strategy(), Some(Strategy::KeyBased));
    assert_eq!(reference.cache_hash(), hash(&bytes).unwrap().as_str());
    assert_eq!(names(&bytes), ["a", "b"]);
    assert_eq!(now(cache.archive(&namespace, &id)).unwrap().1, original);
}

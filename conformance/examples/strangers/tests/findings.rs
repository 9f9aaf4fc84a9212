//! What `../../FINDINGS.md` says, with the libraries alone. A test that fails here means that a library
//! has changed, and that the page is out of date.

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use opendal::services::{Fs, Memory};
use opendal::{ErrorKind, Operator};
use tempfile::TempDir;

type Cause = Box<dyn std::error::Error>;

fn local() -> Result<(TempDir, LocalFileSystem), Cause> {
    let home = tempfile::tempdir()?;
    let store = LocalFileSystem::new_with_prefix(home.path())?.with_automatic_cleanup(true);
    Ok((home, store))
}

fn fs() -> Result<(TempDir, Operator), Cause> {
    let home = tempfile::tempdir()?;
    let service = Fs::default()
        .root(&home.path().join("data").to_string_lossy())
        .atomic_write_dir(&home.path().join("temporary").to_string_lossy());
    Ok((home, Operator::new(service)?))
}

fn path(name: &str) -> Path {
    Path::parse(name).expect("a path")
}

async fn put(store: &impl ObjectStore, name: &str, mode: PutMode) -> Result<(), Error> {
    let options = PutOptions { mode, ..PutOptions::default() };
    store.put_opts(&path(name), Bytes::from_static(b"v").into(), options).await.map(drop)
}

fn generic<T: std::fmt::Debug>(answer: Result<T, Error>, says: &str) {
    let error = answer.expect_err("it fails");
    assert!(matches!(error, Error::Generic { .. }), "{error:?}");
    assert!(error.to_string().contains(says), "{error}");
}

#[tokio::test]
async fn finding_1_small_values_keep_large_buffers() -> Result<(), Cause> {
    let megabyte = Bytes::from(vec![0; 1 << 20]);
    let store = InMemory::new();
    store.put(&path("a"), megabyte.slice(..10).into()).await?;
    assert!(!megabyte.is_unique());
    drop(store);
    let operator = Operator::new(Memory::default())?;
    operator.write("a", megabyte.slice(..10)).await?;
    assert!(!megabyte.is_unique());
    drop(operator);
    assert!(megabyte.is_unique());
    Ok(())
}

#[tokio::test]
async fn findings_2_and_3_keys_below_keys_in_object_store() -> Result<(), Cause> {
    let (_home, store) = local()?;
    put(&store, "a", PutMode::Overwrite).await?;
    generic(put(&store, "a/b", PutMode::Overwrite).await, "Not a directory");
    generic(store.head(&path("a/b")).await, "Not a directory");
    put(&store, "c/d", PutMode::Overwrite).await?;
    generic(put(&store, "c", PutMode::Overwrite).await, "Is a directory");
    let created = put(&store, "c", PutMode::Create).await;
    assert!(matches!(created, Err(Error::AlreadyExists { .. })), "{created:?}");
    let memory = InMemory::new();
    put(&memory, "a", PutMode::Overwrite).await?;
    put(&memory, "a/b", PutMode::Overwrite).await?;
    Ok(())
}

#[tokio::test]
async fn findings_2_and_3_keys_below_keys_in_opendal() -> Result<(), Cause> {
    let (_home, operator) = fs()?;
    operator.write("a", "v").await?;
    let answer = operator.write("a/b", "v").await.expect_err("it fails");
    assert_eq!(answer.kind(), ErrorKind::AlreadyExists, "{answer:?}");
    let answer = operator.stat("a/b").await.expect_err("it fails");
    assert_ne!(answer.kind(), ErrorKind::NotFound, "{answer:?}");
    operator.write("c/d", "v").await?;
    let answer = operator.delete("c").await.expect_err("it fails");
    assert!(answer.to_string().contains("not empty"), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn finding_4_long_segments() -> Result<(), Cause> {
    let name = "x".repeat(254);
    let (home, store) = local()?;
    generic(put(&store, &name, PutMode::Overwrite).await, "File name too long");
    let (_home, operator) = fs()?;
    let answer = operator.write(&name, "v").await.expect_err("it fails");
    assert!(answer.to_string().contains("File name too long"), "{answer:?}");
    std::fs::write(home.path().join(name), "v")?;
    Ok(())
}

#[tokio::test]
async fn finding_5_folders_stay() -> Result<(), Cause> {
    let (_home, operator) = fs()?;
    operator.write("d/x", "v").await?;
    operator.delete("d/x").await?;
    let left: Vec<_> =
        operator.list("").await?.into_iter().map(|entry| entry.path().to_owned()).collect();
    assert!(left.contains(&"d/".to_owned()), "{left:?}");
    Ok(())
}

#[tokio::test]
async fn finding_6_staging_names() -> Result<(), Cause> {
    let (_home, store) = local()?;
    let answer = put(&store, "foo#1", PutMode::Overwrite).await.expect_err("it fails");
    assert!(answer.to_string().contains("not supported"), "{answer}");
    Ok(put(&InMemory::new(), "foo#1", PutMode::Overwrite).await?)
}

#[tokio::test]
async fn finding_7_trimmed_names() -> Result<(), Cause> {
    let (_home, on_disk) = fs()?;
    for operator in [Operator::new(Memory::default())?, on_disk] {
        operator.write("a", "first").await?;
        assert_eq!(operator.read("a ").await?.to_vec(), b"first");
        operator.write("a ", "second").await?;
        assert_eq!(operator.read("a").await?.to_vec(), b"second");
    }
    Ok(())
}

#[tokio::test]
async fn finding_8_folders_that_are_not_listed() -> Result<(), Cause> {
    let (_home, operator) = fs()?;
    operator.write("a /b", "v").await?;
    assert_eq!(operator.read("a /b").await?.to_vec(), b"v");
    let found = operator.list_with("/").recursive(true).await?;
    assert!(found.iter().all(|entry| entry.path() != "a /b"), "{found:?}");
    Ok(())
}

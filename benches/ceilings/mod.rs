//! The barest code that does what a store does on its medium, with the same durability and nothing of
//! its care: no expectations, no versions, no locks between processes, no names checked.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use aws_sdk_s3::Client;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use futures_executor::block_on;
use futures_util::future::try_join_all;
use larder::key::{Key, Namespace};
use larder::storage::blocking::BlockingStorage;
use larder::storage::{Batch, Durability, List, Object, Page, Promises, Result, Stat, Storage};
use rusqlite::{Connection, params};
use tokio::runtime::Runtime;

use crate::PAGE;

/// What is measured of both sides.
pub(crate) trait Ceiling {
    fn put(&mut self, path: &str, value: &[u8]);
    fn batch(&mut self, paths: &[String], value: &[u8]);
    /// How many bytes were read.
    fn get(&mut self, path: &str) -> usize;
    /// How many names were found.
    fn list(&mut self, folder: &str) -> usize;
}

/// A store that does not block, called like the others: in its runtime, if it needs one.
#[derive(Debug)]
pub(crate) struct Waited<S> {
    pub(crate) store: S,
    pub(crate) runtime: Option<Arc<Runtime>>,
}

impl<S> Waited<S> {
    fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        match &self.runtime {
            Some(runtime) => runtime.block_on(call),
            None => block_on(call),
        }
    }
}

impl<S: Storage> BlockingStorage for Waited<S> {
    fn promises(&self) -> Promises {
        self.store.promises()
    }
    fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.wait(self.store.get(key))
    }
    fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        self.wait(self.store.stat(key))
    }
    fn apply(&self, batch: Batch) -> Result<()> {
        self.wait(self.store.apply(batch))
    }
    fn list(&self, query: List) -> Result<Page> {
        self.wait(self.store.list(query))
    }
    fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.wait(self.store.namespaces())
    }
}

/// Maps behind locks: one to find values in, one in order.
#[derive(Default)]
pub(crate) struct Map {
    values: RwLock<HashMap<String, Bytes, foldhash::fast::RandomState>>,
    order: RwLock<BTreeMap<String, usize>>,
}

impl Ceiling for Map {
    fn put(&mut self, path: &str, value: &[u8]) {
        self.order.write().expect("whole").insert(path.to_owned(), value.len());
        let value = Bytes::copy_from_slice(value);
        self.values.write().expect("whole").insert(path.to_owned(), value);
    }

    fn batch(&mut self, paths: &[String], value: &[u8]) {
        paths.iter().for_each(|path| self.put(path, value));
    }

    fn get(&mut self, path: &str) -> usize {
        let value = self.values.read().expect("whole").get(path).cloned();
        value.expect("there").len()
    }

    fn list(&mut self, folder: &str) -> usize {
        let order = self.order.read().expect("whole");
        let names =
            order.range(format!("{folder}/")..).take_while(|(path, _)| path.starts_with(folder));
        names
            .take(PAGE as usize)
            .map(|(path, size)| (path.clone(), *size))
            .collect::<Vec<_>>()
            .len()
    }
}

/// Files: written beside, synced, renamed, and their folders synced.
pub(crate) struct Files {
    root: PathBuf,
    durability: Durability,
    next: u64,
}

impl Files {
    pub(crate) fn new(root: &Path, durability: Durability) -> Self {
        std::fs::create_dir_all(root.join("tmp")).expect("made");
        Self { root: root.to_owned(), durability, next: 0 }
    }

    fn syncs(&self) -> bool {
        self.durability == Durability::Full
    }

    fn write(&mut self, value: &[u8]) -> (PathBuf, File) {
        self.next += 1;
        let temp = self.root.join(format!("tmp/{}", self.next));
        let mut file = File::create_new(&temp).expect("made");
        file.write_all(value).expect("written");
        (temp, file)
    }

    fn place(&self, temp: &Path, path: &str) -> PathBuf {
        let place = self.root.join(path);
        let folder = place.parent().expect("a folder");
        if std::fs::rename(temp, &place).is_err() {
            // The first of its folder. Folders above it are there after a few.
            std::fs::create_dir_all(folder).expect("made");
            if self.syncs() {
                self.sync(folder.parent().expect("a folder"));
            }
            std::fs::rename(temp, &place).expect("renamed");
        }
        folder.to_owned()
    }

    fn sync(&self, folder: &Path) {
        File::open(folder).and_then(|folder| folder.sync_all()).expect("synced");
    }
}

impl Ceiling for Files {
    fn put(&mut self, path: &str, value: &[u8]) {
        self.batch(&[path.to_owned()], value);
    }

    fn batch(&mut self, paths: &[String], value: &[u8]) {
        let files: Vec<_> = paths.iter().map(|_| self.write(value)).collect();
        if self.syncs() {
            files.iter().for_each(|(_, file)| file.sync_all().expect("synced"));
        }
        // The steps of a batch: two and the rest.
        let both: Vec<_> = paths.iter().zip(&files).collect();
        let (first, second) = both.split_at(both.len().min(2));
        for step in [first, second] {
            let touched: Vec<PathBuf> =
                step.iter().map(|(path, (temp, _))| self.place(temp, path)).collect();
            if self.syncs() {
                touched.iter().for_each(|folder| self.sync(folder));
            }
        }
    }

    fn get(&mut self, path: &str) -> usize {
        std::fs::read(self.root.join(path)).expect("read").len()
    }

    fn list(&mut self, folder: &str) -> usize {
        let names = std::fs::read_dir(self.root.join(folder)).expect("read");
        let sized = names.map(|name| {
            let name = name.expect("a name");
            (name.file_name(), name.metadata().expect("there").len())
        });
        let mut sized: Vec<_> = sized.collect();
        sized.sort();
        sized.len()
    }
}

/// One prepared statement an operation, with the store's table and settings.
pub(crate) struct Table(Connection);

impl Table {
    pub(crate) fn new(path: &Path, durability: Durability) -> Self {
        let connection = Connection::open(path).expect("opened");
        let synchronous = if durability == Durability::Full { "full" } else { "normal" };
        let settings = format!(
            "PRAGMA journal_mode = wal; PRAGMA synchronous = {synchronous}; \
             PRAGMA wal_autocheckpoint = 4096; \
             CREATE TABLE memory_fs_files (id INTEGER PRIMARY KEY, path TEXT, data BLOB, \
                 created_at INTEGER, updated_at INTEGER); \
             CREATE INDEX idx__memory_fs_files__path ON memory_fs_files(path);"
        );
        connection.execute_batch(&settings).expect("set");
        Self(connection)
    }

    fn insert(&self, path: &str, value: &[u8]) {
        let insert = "INSERT INTO memory_fs_files (path, data, created_at, updated_at) \
             VALUES (?1, ?2, 1700000000000, 1700000000000)";
        let mut insert = self.0.prepare_cached(insert).expect("prepared");
        insert.execute(params![path, value]).expect("written");
    }
}

impl Ceiling for Table {
    fn put(&mut self, path: &str, value: &[u8]) {
        self.insert(path, value);
    }

    fn batch(&mut self, paths: &[String], value: &[u8]) {
        let run =
            |sql| self.0.prepare_cached(sql).and_then(|mut sql| sql.execute([])).expect("run");
        run("BEGIN IMMEDIATE");
        paths.iter().for_each(|path| self.insert(path, value));
        run("COMMIT");
    }

    fn get(&mut self, path: &str) -> usize {
        let find = "SELECT data FROM memory_fs_files WHERE path = ?1";
        let mut find = self.0.prepare_cached(find).expect("prepared");
        find.query_row([path], |row| row.get::<_, Vec<u8>>(0)).expect("there").len()
    }

    fn list(&mut self, folder: &str) -> usize {
        let list = "SELECT path, octet_length(data) FROM memory_fs_files \
             WHERE path > ?1 AND path < ?2 ORDER BY path LIMIT ?3";
        let mut list = self.0.prepare_cached(list).expect("prepared");
        let range = params![format!("{folder}/"), format!("{folder}0"), PAGE as i64];
        let rows =
            list.query_map(range, |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
        rows.expect("read").map(|row| row.expect("a row")).collect::<Vec<_>>().len()
    }
}

/// Packed values at the end of a file, and where they are.
pub(crate) struct Archive {
    file: File,
    end: u64,
    places: BTreeMap<String, (u64, usize)>,
    durability: Durability,
}

impl Archive {
    pub(crate) fn new(path: &Path, durability: Durability) -> Self {
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(path).expect("made");
        Self { file, end: 0, places: BTreeMap::new(), durability }
    }
}

impl Ceiling for Archive {
    fn put(&mut self, path: &str, value: &[u8]) {
        self.batch(&[path.to_owned()], value);
    }

    fn batch(&mut self, paths: &[String], value: &[u8]) {
        let mut bytes = Vec::new();
        for path in paths {
            // The head of a member is 30 bytes and the name.
            bytes.extend_from_slice(&[0; 30]);
            bytes.extend_from_slice(path.as_bytes());
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(value).expect("packed");
            let packed = encoder.finish().expect("packed");
            let place = (self.end + bytes.len() as u64, packed.len());
            self.places.insert(path.clone(), place);
            bytes.extend_from_slice(&packed);
        }
        self.file.write_all_at(&bytes, self.end).expect("written");
        self.end += bytes.len() as u64;
        if self.durability == Durability::Full {
            self.file.sync_data().expect("synced");
        }
    }

    fn get(&mut self, path: &str) -> usize {
        let (at, length) = self.places[path];
        let mut packed = vec![0; length];
        self.file.read_exact_at(&mut packed, at).expect("read");
        let mut value = Vec::with_capacity(1024);
        DeflateDecoder::new(&packed[..]).read_to_end(&mut value).expect("unpacked")
    }

    fn list(&mut self, folder: &str) -> usize {
        let names = self.places.range(format!("{folder}/")..);
        let names = names.take_while(|(path, _)| path.starts_with(folder)).take(PAGE as usize);
        names.map(|(path, (_, size))| (path.clone(), *size)).collect::<Vec<_>>().len()
    }
}

/// The SDK's calls, one for each value, and those of a step at once.
pub(crate) struct Objects {
    pub(crate) client: Client,
    pub(crate) bucket: &'static str,
    pub(crate) runtime: Arc<Runtime>,
}

impl Ceiling for Objects {
    fn put(&mut self, path: &str, value: &[u8]) {
        self.batch(&[path.to_owned()], value);
    }

    fn batch(&mut self, paths: &[String], value: &[u8]) {
        // The steps of a batch: two and the rest.
        let (first, second) = paths.split_at(paths.len().min(2));
        self.runtime.block_on(async {
            for step in [first, second] {
                let puts = step.iter().map(|path| {
                    let body = Bytes::copy_from_slice(value);
                    self.client.put_object().bucket(self.bucket).key(path).body(body.into()).send()
                });
                try_join_all(puts).await.expect("written");
            }
        });
    }

    fn get(&mut self, path: &str) -> usize {
        self.runtime.block_on(async {
            let answer = self.client.get_object().bucket(self.bucket).key(path).send().await;
            answer.expect("there").body.collect().await.expect("read").into_bytes().len()
        })
    }

    fn list(&mut self, folder: &str) -> usize {
        let list = self.client.list_objects_v2().bucket(self.bucket).prefix(format!("{folder}/"));
        let answer = self.runtime.block_on(list.delimiter("/").max_keys(PAGE as i32).send());
        let answer = answer.expect("listed");
        answer.contents().iter().filter_map(|object| object.key().map(str::to_owned)).count()
    }
}

//! What is measured: the service on memory, from the bytes of a body to the bytes of a reply. One JSON
//! body of one kibibyte, different in every store of new content.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use futures_executor::block_on;
use larder::cache::data::{DataPlace, NewData};
use larder::cache::document::Document as _;
use larder::cache::ident::{CacheHash, CacheId, Strategy};
use larder::cache::retrieve::Lookup;
use larder::cache::store::{NewEntry, Stored};
use larder::cache::update::NewContent;
use larder::cache::{Cache, Prepared, Settings, pyjson};
use larder::key::Namespace;
use larder::storage::Depth;
use larder::storage::memory::Memory;

/// The service allocates with this, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// From an entry to the one that is asked for next: a prime.
const STRIDE: usize = 7_368_787;

/// Bytes of a body.
pub(crate) const BODY: usize = 1024;

/// A JSON object of [`BODY`] bytes with a few members of every kind.
pub(crate) fn body(number: u64) -> Vec<u8> {
    let mut text = format!(
        r#"{{"number":{number:010},"name":"an entry of the cache","tags":["red","green","blue"],"score":12.75,"live":true,"none":null,"nested":{{"x":{number:010},"deep":[1,2,3,{{"y":"z"}}]}},"#
    );
    for member in 0..8 {
        text.push_str(&format!(
            r#""member_{member}":"{}","#,
            "lorem ipsum dolor sit amet".repeat(2)
        ));
    }
    let rest = BODY - text.len() - r#""rest":""}"#.len();
    text.push_str(&format!(r#""rest":"{}"}}"#, "r".repeat(rest)));
    // A number has no leading zeros in JSON.
    text.replacen(&format!("{number:010}"), &format!("{}", 1_000_000_000 + number), 2).into_bytes()
}

/// The numbers below this one in an order that no cache of a processor foresees.
pub(crate) fn shuffled(count: usize) -> impl Iterator<Item = usize> {
    (1..=count).map(move |nth| nth * STRIDE % count)
}

/// A service with entries in it. A clone is another user of the same one.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    cache: Arc<Cache>,
    namespace: Namespace,
    ids: Vec<CacheId>,
    hashes: Vec<CacheHash>,
    template: Vec<u8>,
    places: Vec<usize>,
    /// Those that calls to be measured stored, in order.
    stored: Vec<CacheId>,
    /// The number of the content that was stored last.
    pub(crate) next: u64,
    turn: usize,
}

impl Service {
    /// With so many entries of different content.
    pub(crate) fn new(entries: usize) -> Self {
        let template = body(0);
        let text = String::from_utf8_lossy(&template);
        let places = text.match_indices("1000000000").map(|(place, _)| place).collect();
        let mut service = Self {
            cache: Arc::new(Cache::new(Arc::new(Memory::new()), Settings::default())),
            namespace: Namespace::parse("bench").expect("a clean name"),
            ids: Vec::with_capacity(entries),
            hashes: Vec::with_capacity(entries),
            stored: Vec::new(),
            places,
            next: 0,
            turn: 0,
            template,
        };
        let mut stored: Vec<_> = (0..entries).map(|_| Some(service.store_next())).collect();
        // Lists of their own, read one after the other, since what a client asks for is at hand.
        for at in shuffled(entries) {
            let stored = stored[at].take().expect("a prime passes every place once");
            service.ids.push(*stored.cache_id());
            service.hashes.push(CacheHash::parse(stored.cache_hash()).expect("a hash"));
        }
        service
    }

    /// With a piece of child data for every entry.
    pub(crate) fn with_children(mut self) -> Self {
        (0..self.ids.len()).for_each(|_| self.child_data());
        self
    }

    fn store(&self, body: &[u8]) -> Stored {
        let (value, as_served) = pyjson::parse_noting_form(body).expect("a JSON body");
        let served = as_served.then_some(body);
        let content = Prepared::json_of(&value, served, None, usize::MAX).expect("content");
        let entry = NewEntry {
            namespace: &self.namespace,
            strategy: Strategy::Direct,
            cache_key: "",
            file_id: None,
            cache_id: None,
            content,
        };
        block_on(self.cache.store(entry)).expect("stored")
    }

    fn store_next(&mut self) -> Stored {
        self.next += 1;
        let digits = (1_000_000_000 + self.next).to_string();
        for place in &self.places {
            self.template[*place..][..10].copy_from_slice(digits.as_bytes());
        }
        self.store(&self.template)
    }

    /// Another entry in each call.
    fn turn(&mut self) -> usize {
        self.turn = (self.turn + 1) % self.ids.len();
        self.turn
    }

    fn any(&mut self) -> CacheId {
        let turn = self.turn();
        self.ids[turn]
    }

    pub(crate) fn store_new(&mut self) {
        let stored = self.store_next();
        self.stored.push(*stored.cache_id());
        black_box(stored.compact());
    }

    /// The same content once more.
    pub(crate) fn store_known(&mut self) {
        let stored = self.store(&self.template);
        self.stored.push(*stored.cache_id());
        black_box(stored.compact());
    }

    /// Deletes what [`Service::store_new`] and [`Service::store_known`] stored last.
    pub(crate) fn delete_last(&mut self, entries: u64) {
        for _ in 0..entries {
            let id = self.stored.pop().expect("as many were stored");
            block_on(self.cache.delete(&self.namespace, &id)).expect("deleted");
        }
    }

    fn content(&self, lookup: Lookup<'_>) -> Bytes {
        let found = block_on(self.cache.content(&self.namespace, lookup)).expect("read");
        found.expect("there").to_json().expect("JSON")
    }

    pub(crate) fn retrieve_by_id(&mut self) {
        let id = self.any();
        black_box(self.content(Lookup::Id(&id)));
    }

    pub(crate) fn retrieve_by_hash(&mut self) {
        let turn = self.turn();
        black_box(self.content(Lookup::Hash(&self.hashes[turn])));
    }

    /// Content with its metadata.
    pub(crate) fn retrieve_whole(&mut self) {
        let id = self.any();
        let found = block_on(self.cache.retrieve(&self.namespace, Lookup::Id(&id)));
        let found = found.expect("read").expect("there");
        black_box((found.content.to_json().expect("JSON"), found.metadata.compact()));
    }

    pub(crate) fn exists(&mut self) {
        let id = self.any();
        black_box(block_on(self.cache.exists(&self.namespace, Lookup::Id(&id))).expect("read"));
    }

    pub(crate) fn update(&mut self) {
        let id = self.any();
        let value = pyjson::parse(&self.template).expect("a JSON body");
        let updated = self.cache.update(&self.namespace, &id, NewContent::Json(&value));
        black_box(block_on(updated).expect("updated").expect("there").compact());
    }

    /// Stores an entry and deletes it.
    pub(crate) fn store_and_delete(&mut self) {
        let id = *self.store_next().cache_id();
        black_box(block_on(self.cache.delete(&self.namespace, &id)).expect("deleted").compact());
    }

    /// Stores a piece of child data, over that of an earlier call.
    pub(crate) fn child_data(&mut self) {
        let id = self.any();
        let value = pyjson::parse(&self.template).expect("a JSON body");
        let place = DataPlace {
            namespace: &self.namespace,
            cache_id: &id,
            data_key: "notes",
            data_file_id: "first",
        };
        let stored = block_on(self.cache.store_data(&place, NewData::Json(&value)));
        black_box(stored.expect("stored").expect("there").compact());
    }

    pub(crate) fn child_data_back(&mut self) {
        let id = self.any();
        let place = DataPlace {
            namespace: &self.namespace,
            cache_id: &id,
            data_key: "notes",
            data_file_id: "first",
        };
        black_box(block_on(self.cache.data_json(&place)).expect("read").expect("there"));
    }

    /// The child data of an entry, listed.
    pub(crate) fn list_page(&mut self) {
        let id = self.any();
        let list = self.cache.list_data(&self.namespace, &id, "", Depth::All);
        black_box(block_on(list).expect("read").expect("there").compact());
    }
}

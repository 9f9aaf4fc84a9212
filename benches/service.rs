//! The service on memory, one thread, a JSON body of one kibibyte: full operations, from the bytes of
//! a body to the reply. Throughput is in operations, so criterion prints operations a second.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_executor::block_on;
use larder::cache::document::Document;
use larder::cache::ident::{CacheHash, CacheId, Strategy};
use larder::cache::retrieve::Lookup;
use larder::cache::store::{NewEntry, Stored};
use larder::cache::{Cache, Prepared, Settings, pyjson};
use larder::key::Namespace;
use larder::storage::memory::Memory;

/// Entries that are there before anything is measured.
const ENTRIES: usize = 1_000;

fn body(number: usize) -> String {
    let words =
        "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor ".repeat(10);
    format!(
        r#"{{"id":{number},"name":"entry {number}","tags":["a","b","c"],"score":12.5,"on":true,"text":"{words}","nested":{{"x":{number},"y":[1,2,3]}},"pad":"{}"}}"#,
        "p".repeat(1024 - 900)
    )
}

fn store(cache: &Cache, namespace: &Namespace, body: &str) -> Stored {
    let value = pyjson::parse(body.as_bytes()).expect("a JSON body");
    let content = Prepared::json(&value, None, usize::MAX).expect("content");
    let entry = NewEntry {
        namespace,
        strategy: Strategy::Direct,
        cache_key: "",
        file_id: None,
        cache_id: None,
        content,
    };
    block_on(cache.store(entry)).expect("stored")
}

fn retrieve(cache: &Cache, namespace: &Namespace, lookup: Lookup<'_>) -> String {
    let found = block_on(cache.content(namespace, lookup)).expect("read").expect("there");
    found.to_json().expect("JSON")
}

fn service(c: &mut Criterion) {
    let cache = Cache::new(Arc::new(Memory::new()), Settings::default());
    let namespace = Namespace::clean("bench").expect("a namespace");
    let stored: Vec<Stored> = (0..ENTRIES).map(|n| store(&cache, &namespace, &body(n))).collect();
    let ids: Vec<&CacheId> = stored.iter().map(|stored| &stored.cache_id).collect();
    let hashes: Vec<CacheHash> =
        stored.iter().map(|stored| CacheHash::parse(&stored.cache_hash).expect("a hash")).collect();

    let mut group = c.benchmark_group("service");
    group.throughput(Throughput::Elements(1));
    let mut next = ENTRIES;
    group.bench_function("store new content", |b| {
        b.iter_batched(
            || {
                next += 1;
                body(next)
            },
            |body| black_box(store(&cache, &namespace, &body).compact()),
            BatchSize::SmallInput,
        );
    });
    let mut at = 0;
    let mut turn = move || {
        at = (at + 7) % ENTRIES;
        at
    };
    group.bench_function("retrieve by id", |b| {
        b.iter(|| black_box(retrieve(&cache, &namespace, Lookup::Id(ids[turn()]))));
    });
    group.bench_function("retrieve by hash", |b| {
        b.iter(|| black_box(retrieve(&cache, &namespace, Lookup::Hash(&hashes[turn()]))));
    });
    group.bench_function("exists by id", |b| {
        b.iter(|| {
            black_box(block_on(cache.exists(&namespace, Lookup::Id(ids[turn()]))).expect("read"))
        });
    });
    group.finish();
}

criterion_group!(benches, service);
criterion_main!(benches);

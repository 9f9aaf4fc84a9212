//! Larder: a cache service over interchangeable stores.
//!
//! # The rooms
//!
//! | room | holds |
//! |---|---|
//! | [`key`] | [`Namespace`](key::Namespace), [`Key`](key::Key), [`Prefix`](key::Prefix): the only way to say where something lives |
//! | [`storage`] | the [`Storage`](storage::Storage) trait and its contract in ten sentences; one file a backend below it |
//! | [`cache`] | the service: one method per operation, each of them read, plan, apply |
//! | [`http`] | the API: one table of routes, extractors, error bodies, serving and draining |
//! | [`check`] | is a store sound, and how it is repaired: pure judging, apart from the looking |
//! | [`copy`] | one store into another: resumable, verified, references last |
//! | [`config`] | environment and flags to typed settings; the only code that reads the environment |
//! | `main` | the command line: wires the rooms up; the only code that exits the process |
//!
//! Dependencies point one way: `http → cache → storage → key`, with `check` and `copy` beside `http`, and
//! `main` and `storage::open` doing the wiring. Without the default feature `server` the crate is `key`, `storage` with the memory store, and
//! `cache`: what authors of other stores need.
//!
//! # How a request flows
//!
//! `POST /team/temporal/store/json/a/b` gets an id and passes the key check; the table finds its row by
//! the decoded path; the body is read, up to a limit; the handler asks [`http`]'s input for what it needs,
//! which refuses bad bodies and bad names with upstream's error items; then it makes one call on
//! [`Cache`](cache::Cache). That reads the hash reference, plans (a pure function: paths, documents, one
//! [`Batch`](storage::Batch)), and applies the batch: content and side files, then the entry reference,
//! then the hash reference, guarded by the version that was read. If the guard fails, someone else stored
//! the same content meanwhile: read and plan again. So no version is ever lost, and no reference ever
//! points at nothing.
//!
//! What a plan puts are documents more than bytes ([`Body`](storage::Body)): the facts of an entry, of which
//! its reference, configuration and metadata are made, and JSON as it is served. A store that keeps bytes
//! renders them, before it takes a lock; the memory store keeps them as they are, and renders what somebody
//! reads. So a store on memory writes no text that nobody asks for, and a read serves what was kept.
//!
//! # What must never happen
//!
//! - A key outside its namespace: keys come only from namespaces, and what a backend finds comes back
//!   through a checked parse.
//! - A place named by a string across the storage trait.
//! - axum, tokio or a backend named under `cache`; `cache` or `http` named under `storage`.
//! - A clock, randomness or I/O in a plan: time and ids are arguments.
//! - A status code of an error picked outside `http/error.rs`; the environment read outside `config`.
//! - A lock held across an `.await`.
//!
//! `tests/it/tidy.rs` holds those that can be read off the code.
//!
//! # Where a new thing goes
//!
//! *A backend:* a file in `storage/`, a variant in `StorageConfig`, an arm in `storage/open.rs`, a short file
//! in `conformance/tests/`, a line in the README; nothing in `cache` or `http`. *A route:* a plan and a `Cache`
//! method, a handler, a row. *A cross-cutting behaviour:* a wrapper that implements `Storage` by holding one.
//!
//! # Where this differs from the first design
//!
//! - The table of routes is matched by its own code and not turned into axum patterns. Upstream decodes a path
//!   before it matches, lets wildcards stand in the middle and be empty, and takes the first row that
//!   matches; each of these is visible to clients, and none of them can be said in axum's router.
//! - Keys can fail to be made ([`Namespace::key`](key::Namespace::key)): on length, and to keep the root
//!   namespace, which upstream writes without a prefix, apart from namespaces called `data` and `refs`.
//! - A store that is full says so with an error of its own, since the service can make room: which
//!   entries go is decided in `cache`, which alone knows what belongs together.
//! - Paths may hold `\`, which upstream keeps in cache keys, and segments have at most 255 bytes, so that
//!   every store can hold every name.
//! - Values cross the storage trait as [`Body`](storage::Body), which may be a document still to be rendered:
//!   rendering all five documents of an entry costs several times what storing it does.
//! - The memory store finds keys and folders by hash, and folders know in which order their keys are
//!   (`storage::folders`), since an ordered map of long keys with long shared beginnings compares more than it
//!   finds.
//! - The container of archives, of entries and of the ZIP store, is read and written by our own code
//!   (`zipfile`): libraries cannot write the duplicate names that upstream makes and lists, nor copy
//!   members byte for byte.

pub mod cache;
#[cfg(feature = "server")]
pub mod check;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod copy;
#[cfg(feature = "server")]
pub mod http;
pub mod key;
pub mod storage;
mod zipfile;

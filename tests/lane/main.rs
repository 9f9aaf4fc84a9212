//! The service held to the HTTP lane of `larder-conformance`, and the lane held to servers with one
//! planted bug each.
#![expect(clippy::unwrap_used, reason = "tests")]

mod mutants;
mod serve;

use std::sync::Arc;

use larder::http::{ApiKey, Settings};
use larder::storage::Durability;
use larder::storage::blocking::Blocking;
use larder::storage::disk::Disk;
use larder::storage::memory::Memory;
use larder::storage::sqlite::Sqlite;
use larder::storage::zip::Zip;
use larder_conformance::api::{self, Battery, Server};
use larder_conformance::report::{Report, Verdict, summary};
use larder_conformance::run;

use serve::Served;

const KEY: (&str, &str) = ("X-API-Key", "secret");

fn settings(seed: u64) -> run::Settings {
    run::Settings { seed, ..run::Settings::default() }
}

fn shown(report: &Report) -> String {
    let mut text = Vec::new();
    summary(&mut text, report).unwrap();
    String::from_utf8(text).unwrap()
}

/// The service with a key, over this store.
fn keyed(storage: Arc<dyn larder::storage::Storage>) -> axum::Router {
    let key = Some(ApiKey::new(KEY.0, KEY.1));
    let cache = larder::cache::Cache::new(storage, larder::cache::Settings::default());
    larder::http::router(cache, Settings { key, ..Settings::default() })
}

fn battery(served: &Served, seed: u64) -> Battery {
    let server = Server::new(&served.base).with_key(KEY.0, KEY.1);
    Battery::connect(server, settings(seed)).unwrap()
}

#[test]
fn the_service_keeps_every_property_and_is_left_as_it_was() {
    let store = Arc::new(Memory::new());
    let served = Served::start(keyed(Arc::clone(&store) as _));
    let ask = |path: &str| served.ask("GET", path, "");
    let mine = "/mine/direct/store/string";
    served.ask("POST", mine, "\"not the lane's\"");
    let before = ask("/admin/storage/files/in/?recursive=true");
    let report = battery(&served, 0).run_all();
    assert!(report.is_clean(), "{}", shown(&report));
    assert_eq!(report.counts().not_checked, 0, "{}", shown(&report));
    assert_eq!(report.notes, Vec::<String>::new());
    assert_eq!(ask("/admin/storage/files/in/?recursive=true"), before);
}

/// The stores that keep what they are given, which take other paths through the same calls.
#[test]
fn the_service_keeps_every_property_on_every_embedded_store() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let relaxed = Durability::Relaxed;
    let stores: [(&str, Arc<dyn larder::storage::Storage>); 3] = [
        ("local_disk", Arc::new(Blocking::new(Disk::open(at("disk"), relaxed).unwrap()))),
        ("sqlite", Arc::new(Blocking::new(Sqlite::open(at("cache.db"), relaxed).unwrap()))),
        ("zip", Arc::new(Blocking::new(Zip::open(at("cache.zip"), relaxed).unwrap()))),
    ];
    for (name, store) in stores {
        let served = Served::start(keyed(Arc::clone(&store)));
        let report = battery(&served, 0).run_all();
        assert!(report.is_clean(), "{name}: {}", shown(&report));
        assert_eq!(report.counts().not_checked, 0, "{name}: {}", shown(&report));
        assert_eq!(report.notes, Vec::<String>::new(), "{name}");
        let left = served.wait(store.namespaces()).unwrap();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

#[test]
fn what_is_turned_off_is_listed_as_not_checked_and_cleaned_up_all_the_same() {
    let settings = Settings { admin_routes: false, test_data_routes: false, ..Settings::default() };
    let store: Arc<dyn larder::storage::Storage> = Arc::new(Memory::new());
    let cache = larder::cache::Cache::new(Arc::clone(&store), larder::cache::Settings::default());
    let served = Served::start(larder::http::router(cache, settings));
    let settings = run::Settings { cases: 8, ..self::settings(1) };
    let report = Battery::connect(Server::new(&served.base), settings).unwrap().run_all();
    assert!(report.is_clean(), "{}", shown(&report));
    assert!(report.counts().not_checked >= 3, "{}", shown(&report));
    assert_eq!(report.notes, Vec::<String>::new());
    let left = served.wait(store.namespaces()).unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_server_that_cannot_be_judged_is_an_error_and_no_report() {
    let nobody = Battery::connect(Server::new("http://127.0.0.1:9"), settings(0));
    assert!(nobody.unwrap_err().contains("/info/health"));
    let served = Served::start(keyed(Arc::new(Memory::new())));
    let keyless = Battery::connect(Server::new(&served.base), settings(0));
    assert!(keyless.unwrap_err().contains("--api-key"));
}

#[test]
fn every_planted_bug_is_found_by_the_property_named_for_it() {
    let checks = api::all();
    let mut survivors = Vec::new();
    for mutant in mutants::ALL {
        let check = checks.iter().find(|check| check.number == mutant.killer).unwrap();
        for seed in [0, 1, 2] {
            let served = Served::start(mutant.plant());
            // To be found is enough; how small, is a matter for people.
            let server = Server::new(&served.base).with_key(KEY.0, KEY.1);
            let settings = run::Settings { shrink: false, ..settings(seed) };
            let battery = Battery::connect(server, settings).unwrap();
            let found = battery.run(check);
            if !matches!(found.verdict, Verdict::Fail(failure) if !failure.inconclusive) {
                survivors
                    .push(format!("{} (seed {seed}): not found by {}", mutant.name, mutant.killer));
            }
        }
    }
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}

//! The service over an archive: a clean end leaves the archive alone and whole.

#![cfg(feature = "server")]

use std::path::Path;
use std::process::Stdio;

use crate::help::{archive, files, members, sound_members};
use crate::running::{Service, larder};

fn start(home: &Path) -> Service {
    let mut command = larder(home);
    command.env("CACHE__SERVICE__STORAGE_MODE", "zip");
    command.env("CACHE__SERVICE__ZIP_PATH", archive(home));
    let service = Service::start(command, Stdio::null());
    assert!(service.line.contains("store: zip"), "{}", service.line);
    service
}

/// The body of an answer that must be good.
fn send(service: &Service, method: &str, path: &str, body: &str) -> String {
    let (status, answer) = service.connect().unwrap().send(method, path, body).unwrap();
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn end(mut service: Service, signal: &str) {
    service.signal(signal);
    assert_eq!(service.child.wait().unwrap().success(), signal == "-TERM");
}

#[test]
fn a_clean_end_leaves_the_archive_alone() {
    let dir = tempfile::tempdir().unwrap();
    let service = start(dir.path());
    let info = send(&service, "GET", "/server/storage/info", "");
    let place = format!("\"zip_path\":\"{}\"", archive(dir.path()).display());
    assert!(info.contains("\"storage_mode\":\"zip\"") && info.contains(&place), "{info}");
    send(&service, "POST", "/team/direct/store/json", "{\"a\": 1}");
    end(service, "-TERM");
    assert_eq!(files(dir.path()), ["cache.zip"]);
    assert_eq!(sound_members(&archive(dir.path())), 5);

    // Another kind of end leaves a journal, from which the next start goes on.
    let service = start(dir.path());
    send(&service, "POST", "/team/direct/store/json", "{\"b\": 2}");
    end(service, "-KILL");
    assert_eq!(files(dir.path()).len(), 2);
    assert_eq!(members(&archive(dir.path())).len(), 5);
    let service = start(dir.path());
    let ids = send(&service, "GET", "/team/file-ids", "");
    assert_eq!(ids.matches(',').count(), 1, "two ids: {ids}");
    end(service, "-TERM");
    assert_eq!(sound_members(&archive(dir.path())), 10);
}

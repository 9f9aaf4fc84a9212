//! The service over an archive: a clean end leaves the archive alone and whole.

#![cfg(feature = "server")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::help::{archive, files, members, sound_members};

struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(home: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_larder"))
            .env_clear()
            .current_dir(home)
            .env("CACHE__SERVICE__LISTEN", "127.0.0.1:0")
            .env("CACHE__SERVICE__STORAGE_MODE", "zip")
            .env("CACHE__SERVICE__ZIP_PATH", archive(home))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        Self { child, address: address.unwrap().to_owned() }
    }

    fn send(&self, request: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    fn end(mut self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert_eq!(status.success(), signal == "-TERM");
    }
}

#[test]
fn a_clean_end_leaves_the_archive_alone() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path());
    let info = service.send("GET /server/storage/info", "");
    let place = format!("\"zip_path\":\"{}\"", archive(dir.path()).display());
    assert!(info.contains("\"storage_mode\":\"zip\"") && info.contains(&place), "{info}");
    let stored = service.send("POST /team/direct/store/json", "{\"a\": 1}");
    assert!(stored.starts_with("HTTP/1.1 200"), "{stored}");
    service.end("-TERM");
    assert_eq!(files(dir.path()), ["cache.zip"]);
    assert_eq!(sound_members(&archive(dir.path())), 5);

    // Another kind of end leaves a journal, from which the next start goes on.
    let service = Service::start(dir.path());
    let stored = service.send("POST /team/direct/store/json", "{\"b\": 2}");
    assert!(stored.starts_with("HTTP/1.1 200"), "{stored}");
    service.end("-KILL");
    assert_eq!(files(dir.path()).len(), 2);
    assert_eq!(members(&archive(dir.path())).len(), 5);
    let service = Service::start(dir.path());
    let ids = service.send("GET /team/file-ids", "");
    let body = ids.rsplit("\r\n").next().unwrap();
    assert_eq!(body.matches(',').count(), 1, "two ids: {body}");
    service.end("-TERM");
    assert_eq!(sound_members(&archive(dir.path())), 10);
}

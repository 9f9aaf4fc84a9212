//! The binary as a running service, and a client that keeps its connection.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The binary with nothing of the machine's own settings.
pub(crate) fn larder(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    // A folder without an `.env`.
    command.env_clear().current_dir(folder);
    command
}

/// A running service on a free port.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) address: String,
    /// What it said when it was ready.
    pub(crate) line: String,
}

impl Service {
    /// Starts it and waits until it is ready. Its log is piped, or goes nowhere.
    pub(crate) fn start(mut command: Command, log: Stdio) -> Self {
        command.env("CACHE__SERVICE__LISTEN", "127.0.0.1:0");
        let spawned = command.stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = spawned.expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Self { child, address, line }
    }

    /// Sends it a signal by the name that `kill` knows.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().expect("kill");
        assert!(sent.success());
    }

    /// A client of it.
    pub(crate) fn connect(&self) -> Result<Client> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        Ok(Client(BufReader::new(stream)))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ended already unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, on which requests follow each other.
#[derive(Debug)]
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    /// Sends a request and reads the whole answer. An error when the connection ended first.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut status = None;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
            } else if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(Error::other)?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let status = status.ok_or(ErrorKind::InvalidData)?;
        Ok((status, String::from_utf8(body).map_err(Error::other)?))
    }
}

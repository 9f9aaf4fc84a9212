//! Servers in processes of their own, as clients and the operating system see them.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The binary with these flags, on a port that is free.
pub(crate) fn larder(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    command.args(["--listen", "127.0.0.1:0"]).args(flags);
    command
}

/// A figure that `/proc/PID/status` has in kibibytes, in bytes.
pub(crate) fn memory(process: u32, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    number.expect("a figure in kB") * 1024
}

/// A server, killed when dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    process: Child,
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a server that says its address in a line of its output, and waits until it answers.
    pub(crate) fn start(name: &'static str, mut command: Command, folder: &Path) -> Self {
        let log = File::create(folder.join(format!("{name}.log"))).expect("made");
        command.current_dir(folder).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn().expect("started");
        let mut output = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(output.read_line(&mut line).expect("text") > 0, "{name} did not start");
            let Some((_, rest)) = line.split_once("http://") else { continue };
            let address = rest.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next();
            break address.and_then(|address| address.parse().ok()).expect("an address");
        };
        let server = Self { name, process, address, _output: output };
        let patience = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(patience.elapsed() < Duration::from_secs(60), "{name} does not answer");
            std::thread::sleep(Duration::from_millis(1));
        }
        server
    }

    /// Sends a request on a connection of its own; the body of the answer, which must be a success.
    pub(crate) fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("connected");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nx-key: bench\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let told = String::from_utf8_lossy(&answer[..end]);
        assert!(told.starts_with("HTTP/1.1 200"), "{} answered {told}", self.name);
        answer.split_off(end)
    }

    /// Processor time so far, in seconds.
    pub(crate) fn processor(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.expect("Linux");
        let fields = stat.rsplit_once(") ").expect("fields").1.split(' ');
        // Of the user and of the system, in hundredths.
        let ticks = fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number"));
        ticks.sum::<f64>() / 100.0
    }

    /// See [`memory`].
    pub(crate) fn memory(&self, figure: &str) -> u64 {
        memory(self.process.id(), figure)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

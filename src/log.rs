//! Where the log goes: to standard error. Trouble is written at once; what is no trouble, such as the line of
//! a request, waits until the thread has nothing else to do, so that a busy server writes many lines at
//! once and answers do not wait for them. A line waits no longer than the longest task that its thread runs
//! next; what ends the process meanwhile takes less than [`MOST`] bytes of each worker's lines with it.

use std::cell::RefCell;
use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The most bytes written at once, unless one line is longer: what a pipe takes whole (POSIX, `PIPE_BUF`, here
/// of Linux), so that processes with one standard error do not cut each other's lines.
const MOST: usize = 4096;

/// The lines of a thread.
#[derive(Debug)]
struct Lines {
    /// Whether the thread says when it has nothing to do. Others write at once.
    is_worker: bool,
    waiting: Vec<u8>,
}

thread_local! {
    static LINES: RefCell<Lines> = const { RefCell::new(Lines { is_worker: false, waiting: Vec::new() }) };
}

impl Lines {
    fn write_out(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        // There is nowhere to say that the log cannot be written.
        let _ = io::stderr().write_all(&self.waiting);
        self.waiting.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.write_out();
    }
}

/// Writes what waits. For the runtime to call whenever a worker has nothing to do.
pub(crate) fn worker_rests() {
    LINES.with_borrow_mut(|lines| {
        lines.is_worker = true;
        lines.write_out();
    });
}

/// Standard error, behind the lines that wait.
#[derive(Debug)]
pub(crate) struct Log;

/// The way for one event.
#[derive(Debug)]
pub(crate) struct Line {
    may_wait: bool,
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { may_wait: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line { may_wait: *meta.level() >= Level::INFO }
    }
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let kept = LINES.try_with(|lines| {
            let mut lines = lines.borrow_mut();
            if lines.waiting.len() + line.len() > MOST {
                lines.write_out();
            }
            lines.waiting.extend_from_slice(line);
            if !(self.may_wait && lines.is_worker) {
                lines.write_out();
            }
        });
        // The thread is ending.
        if kept.is_err() {
            io::stderr().write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

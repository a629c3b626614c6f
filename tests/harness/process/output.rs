//! The captured output of a process, line by line, with the means to wait for a line or for the end.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// The stream that a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// All lines of both streams, in the order in which they were read.
#[derive(Debug, Default)]
pub struct Output {
    captured: Mutex<CapturedLines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct CapturedLines {
    lines: Vec<(Stream, String)>,
    closed_streams: usize,
}

/// Why a wait for a line ended without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLine {
    /// Both streams are closed: the process has exited.
    Closed,
    /// The deadline has passed.
    TimedOut,
}

impl Output {
    /// Captures one of the two streams on a thread of its own, until the stream is closed.
    pub fn capture(self: &Arc<Self>, source: impl Read + Send + 'static, stream: Stream) {
        let output = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line).into_owned();
                output.captured.lock().lines.push((stream, line));
                output.changed.notify_all();
            }
            output.captured.lock().closed_streams += 1;
            output.changed.notify_all();
        });
    }

    /// The number of lines so far.
    pub fn line_count(&self) -> usize {
        self.captured.lock().lines.len()
    }

    /// The text of all lines from the one with this index on.
    pub fn text_since(&self, start: usize) -> String {
        let captured = self.captured.lock();
        let lines = captured.lines.get(start..).unwrap_or_default().iter();
        let lines: Vec<_> = lines.map(|(_, line)| line.as_str()).collect();
        lines.join("\n")
    }

    /// Waits for a line on standard output for which `wanted` returns something, and returns it.
    pub fn wait_for<T>(
        &self,
        deadline: Instant,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Result<T, NoLine> {
        let mut captured = self.captured.lock();
        loop {
            let lines = captured.lines.iter();
            let mut lines = lines.filter(|(stream, _)| *stream == Stream::Out);
            if let Some(found) = lines.find_map(|(_, line)| wanted(line)) {
                return Ok(found);
            }
            if captured.closed_streams == 2 {
                return Err(NoLine::Closed);
            }
            if self.changed.wait_until(&mut captured, deadline).timed_out() {
                return Err(NoLine::TimedOut);
            }
        }
    }

    /// Waits until both streams are closed; false if that does not happen in time.
    pub fn wait_until_closed(&self, deadline: Instant) -> bool {
        let no_line = self.wait_for(deadline, |_| None::<()>);
        no_line == Err(NoLine::Closed)
    }
}

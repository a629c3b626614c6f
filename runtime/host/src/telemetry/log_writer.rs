//! Writer of the log: a log that cannot be written, or that is not read, neither ends nor delays the host.
//!
//! A line is written only while the stream accepts it. A reader that stops (a pager, a suspended collector) costs one
//! wait of [`STALL_TIMEOUT`]; from then on lines are skipped until the stream accepts them again. The next line is
//! preceded by the number of skipped lines.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

use parking_lot::Mutex;

use crate::cli::LogFormat;

/// The longest time that a line waits for the reader of the log.
const STALL_TIMEOUT: Duration = Duration::from_millis(100);

/// The number of bytes that a pipe takes at once when it is reported as writable (POSIX: `PIPE_BUF`).
const PIECE: usize = 4096;

/// The log on one stream.
pub struct LogWriter(Mutex<LogStream>);

struct LogStream {
    stream: File,
    format: LogFormat,
    /// Lines that were not written since the last one that was.
    skipped: u64,
    /// Whether the last line was cut off.
    cut: bool,
}

// === impl LogWriter ===

impl LogWriter {
    /// The log on standard error.
    ///
    /// # Errors
    /// When the process cannot have one more descriptor.
    pub fn on_standard_error(format: LogFormat) -> io::Result<Self> {
        let stream = io::stderr().as_fd().try_clone_to_owned()?;
        Ok(Self::new(stream.into(), format))
    }

    fn new(stream: File, format: LogFormat) -> Self {
        Self(Mutex::new(LogStream {
            stream,
            format,
            skipped: 0,
            cut: false,
        }))
    }
}

impl Write for &LogWriter {
    /// Writes a whole line, or skips it. It never fails: a caller of a log has no use for its errors.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// === impl LogStream ===

impl LogStream {
    fn write_line(&mut self, line: &[u8]) {
        let is_written = match self.note() {
            Some(note) => {
                self.write(note.as_bytes(), Duration::ZERO) && {
                    self.skipped = 0;
                    self.write(line, STALL_TIMEOUT)
                }
            }
            None => self.write(line, STALL_TIMEOUT),
        };
        self.skipped += u64::from(!is_written);
    }

    /// The line about skipped lines.
    fn note(&self) -> Option<String> {
        let skipped = self.skipped;
        let start = if self.cut { "\n" } else { "" };
        let text =
            format!("{skipped} lines of the log were skipped: standard error did not take them");
        match self.format {
            _ if skipped == 0 => None,
            LogFormat::Text => Some(format!("{start}{text}\n")),
            LogFormat::Json => {
                let line =
                    serde_json::json!({ "level": "WARN", "message": text, "skipped": skipped });
                Some(format!("{start}{line}\n"))
            }
        }
    }

    /// Writes the text in pieces, each when the stream takes it; false when it took only a part, or nothing.
    fn write(&mut self, text: &[u8], timeout: Duration) -> bool {
        for (number, piece) in text.chunks(PIECE).enumerate() {
            if !is_writable(&self.stream, timeout) || self.stream.write_all(piece).is_err() {
                self.cut |= number > 0;
                return false;
            }
        }
        self.cut = false;
        true
    }
}

/// Whether the stream takes [`PIECE`] bytes at once, now or within the timeout. A broken stream is writable: the write
/// reports it.
#[expect(unsafe_code, reason = "the system offers this as a C function only")]
fn is_writable(stream: &File, timeout: Duration) -> bool {
    let mut entry = libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the one entry outlives the call.
    unsafe { libc::poll(&raw mut entry, 1, timeout) > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, Read as _};
    use std::time::Instant;

    fn piped() -> (LogWriter, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        let stream = std::os::fd::OwnedFd::from(writer).into();
        (LogWriter::new(stream, LogFormat::Text), reader)
    }

    #[test]
    fn a_log_that_is_not_read_is_skipped_and_says_so_later() {
        let (log, mut reader) = piped();
        let line = [[b'x'; 99].as_slice(), b"\n"].concat();
        let started = Instant::now();
        for _ in 0..2000 {
            (&log).write_all(&line).unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(5));
        let mut read = vec![0; 1 << 20];
        let length = reader.read(&mut read).unwrap();
        let written = length / line.len();
        (&log).write_all(b"the reader is back\n").unwrap();
        let length = reader.read(&mut read).unwrap();
        let text = String::from_utf8_lossy(&read[..length]).into_owned();
        assert!(
            text.contains(&format!("{} lines of the log", 2000 - written)),
            "{text}"
        );
        assert!(text.ends_with("the reader is back\n"), "{text}");
    }

    #[test]
    fn a_log_without_a_reader_fails_no_caller() {
        let (log, reader) = piped();
        drop(reader);
        (&log).write_all(b"text\n").unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        (&LogWriter::new(full, LogFormat::Json))
            .write_all(b"{}\n")
            .unwrap();
    }
}

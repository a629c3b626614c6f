//! A minimal HTTP/2 client, which writes and reads single frames.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::saboteur::Saboteur;

/// The type of a frame with header fields.
pub const HEADERS: u8 = 1;
/// The type of a frame that ends a stream.
pub const RST_STREAM: u8 = 3;
/// The type of a frame that ends a connection.
pub const GOAWAY: u8 = 7;

/// An HTTP/2 connection whose client reads no body: its flow-control window is zero.
pub struct UnreadHttp2Connection(TcpStream);

impl UnreadHttp2Connection {
    /// Opens a connection with a window of zero bytes.
    pub fn open(saboteur: &Saboteur) -> Self {
        let mut stream = saboteur.connect();
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .and_then(|()| stream.write_all(&settings))
            .expect("the connection preface");
        Self(stream)
    }

    /// A read fails after this time.
    pub fn set_timeout(&self, timeout: Duration) {
        self.0.set_read_timeout(Some(timeout)).expect("a timeout");
    }

    /// Requests a path on this stream.
    pub fn get(&mut self, stream: u8, path: &str) {
        // `:method GET` is in the static table.
        self.send(&headers(stream, &[0x82], path));
    }

    /// Sends OPTIONS to a path on this stream.
    pub fn options(&mut self, stream: u8, path: &str) {
        self.send(&headers(stream, &literal(2, "OPTIONS"), path));
    }

    /// Requests a path and resets each of these streams at once.
    pub fn get_and_reset(&mut self, streams: impl Iterator<Item = u8>, path: &str) {
        let frames = streams.map(|stream| {
            let cancel = [0, 0, 4, RST_STREAM, 0, 0, 0, 0, stream, 0, 0, 0, 8];
            [headers(stream, &[0x82], path), cancel.to_vec()].concat()
        });
        let frames: Vec<Vec<u8>> = frames.collect();
        self.send(&frames.concat());
    }

    fn send(&mut self, frames: &[u8]) {
        self.0.write_all(frames).expect("a request");
    }

    /// Reads until a frame of this type arrives on this stream, and returns its content.
    pub fn read_until(&mut self, kind: u8, stream: u8) -> Vec<u8> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).expect("another frame");
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut content = vec![0; length];
            self.0.read_exact(&mut content).expect("all of it");
            if (head[3], head[8]) == (kind, stream) {
                return content;
            }
        }
    }
}

/// A frame with the header fields of a request without a body. `:scheme http` is in the static table; `:path` and
/// `:authority` are literals.
fn headers(stream: u8, method: &[u8], path: &str) -> Vec<u8> {
    let head = [method, &[0x86], &literal(4, path), &literal(1, "x")].concat();
    let length = u8::try_from(head.len()).expect("a short head");
    let frame = [0, 0, length, HEADERS, 5, 0, 0, 0, stream];
    [&frame[..], &head].concat()
}

/// A field whose name has this index in the static table.
fn literal(index: u8, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[index, length], text.as_bytes()].concat()
}

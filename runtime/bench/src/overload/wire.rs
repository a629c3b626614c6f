//! A connection as cheap as can be: bytes out, a status back.
//!
//! The load shares two processors with what it measures, and offers ten times what that can do. So nothing is parsed
//! here but the status and the length of an answer, and nothing is allocated for it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The answers that are read here have a head and a body of a few hundred bytes.
const BUFFER: usize = 8 * 1024;

/// One kept HTTP/1.1 connection.
pub struct Wire {
    stream: TcpStream,
    buffer: Box<[u8; BUFFER]>,
}

/// What an answer says of itself.
struct Head {
    status: u16,
    /// Bytes of the whole answer, head and body.
    length: usize,
    stays_open: bool,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Box::new([0; BUFFER]),
        })
    }

    /// Sends a request and reads the answer to its end: its status, and whether another may follow.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is none that can be read here.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<(u16, bool)> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            let Some(head) = head(&self.buffer[..filled])? else {
                continue;
            };
            return self.skip(&head, filled).await;
        }
    }

    async fn skip(&mut self, head: &Head, mut filled: usize) -> io::Result<(u16, bool)> {
        while filled < head.length {
            let read = self.stream.read(&mut self.buffer[..]).await?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            filled += read;
        }
        Ok((head.status, head.stays_open))
    }
}

/// A request with a JSON body, ready to be sent.
pub fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The head of an answer, once it is there.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return match bytes.len() {
            BUFFER => Err(ErrorKind::InvalidData.into()),
            _ => Ok(None),
        };
    };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| ErrorKind::InvalidData)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
    let (mut length, mut stays_open) = (None, true);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse::<usize>().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            stays_open = !value.eq_ignore_ascii_case("close");
        }
    }
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some(Head {
            status,
            length: end + 4 + length,
            stays_open,
        })),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn an_answer_is_as_long_as_its_head_says() {
        let answer =
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbu";
        let head = head(answer).unwrap().unwrap();
        assert_eq!((head.status, head.stays_open), (503, false));
        assert_eq!(head.length, answer.len() + 3);
    }

    #[test]
    fn a_head_without_its_end_or_its_length_is_none() {
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap().is_none());
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn one_answer_ends_before_the_next_begins() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for status in ["201 Created", "409 Conflict"] {
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let body = "x".repeat(3 * BUFFER);
                let length = body.len();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let mut wire = Wire::open(address).await.unwrap();
        let request = post("/reservations", r#"{"carId":1}"#);
        assert_eq!(wire.ask(&request).await.unwrap(), (201, true));
        assert_eq!(wire.ask(&request).await.unwrap(), (409, true));
    }
}

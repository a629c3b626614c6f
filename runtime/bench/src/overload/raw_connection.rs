//! HTTP/1.1 connection with minimal overhead: it sends bytes and returns a status.
//!
//! The load shares two processors with the platform under test, and offers ten times its capacity. Only the status and
//! the length of a response are therefore parsed, and no memory is allocated for it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Size of the read buffer in bytes; the expected responses have a head and a body of a few hundred bytes.
const BUFFER: usize = 8 * 1024;

/// A persistent HTTP/1.1 connection.
pub struct RawConnection {
    stream: TcpStream,
    buffer: Box<[u8; BUFFER]>,
}

/// Parsed fields of a response head.
struct Head {
    status: u16,
    /// Length of the whole response in bytes, head and body.
    length: usize,
    stays_open: bool,
}

impl RawConnection {
    /// Opens a connection.
    ///
    /// # Errors
    /// When no server accepts connections at the address.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Box::new([0; BUFFER]),
        })
    }

    /// The connection, unless the server has ended it since the last response, as it may with an idle one.
    pub fn if_open(mut self) -> Option<Self> {
        let read = self.stream.try_read(&mut self.buffer[..]);
        let is_open = matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock);
        is_open.then_some(self)
    }

    /// Sends a request, reads the whole response, and returns its status and whether the connection stays open.
    ///
    /// # Errors
    /// When the connection breaks, the head is longer than the buffer, or the head has no status or `Content-Length`.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<(u16, bool)> {
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

/// Formats a `POST` request with a JSON body.
pub fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Formats a `GET` request.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// Parses the head of a response; returns `None` while it is incomplete.
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
    fn the_length_of_a_response_comes_from_its_content_length() {
        let answer =
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbu";
        let head = head(answer).unwrap().unwrap();
        assert_eq!((head.status, head.stays_open), (503, false));
        assert_eq!(head.length, answer.len() + 3);
    }

    #[test]
    fn a_head_is_pending_until_its_end_and_invalid_without_a_length() {
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap().is_none());
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn a_response_is_read_to_its_end_before_the_next_request() {
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
        let mut connection = RawConnection::open(address).await.unwrap();
        let request = post("/reservations", r#"{"carId":1}"#);
        assert_eq!(connection.send(&request).await.unwrap(), (201, true));
        assert_eq!(connection.send(&request).await.unwrap(), (409, true));
    }
}

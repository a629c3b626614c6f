//! Clients that send requests and read no answer.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Connections on which the host cannot write any more, because their clients do not read. They stay open.
pub struct UnreadClients {
    _streams: Vec<TcpStream>,
}

impl UnreadClients {
    /// Opens so many connections, and repeats the request on each until the host has not taken any more for two seconds.
    pub fn open(count: usize, connect: impl Fn() -> TcpStream, request: &str) -> Self {
        let requests = request.repeat(1000);
        let mut streams: Vec<(TcpStream, usize)> = (0..count).map(|_| (connect(), 0)).collect();
        for (stream, _) in &streams {
            let set = stream.set_nonblocking(true);
            set.expect("a socket that does not block");
        }
        let mut quiet_rounds = 0;
        for _ in 0..200 {
            let sent: usize = streams
                .iter_mut()
                .map(|it| send(it, requests.as_bytes()))
                .sum();
            quiet_rounds = match sent {
                0 => quiet_rounds + 1,
                _ => 0,
            };
            if quiet_rounds == 20 {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let streams = streams.into_iter().map(|(stream, _)| stream);
        Self {
            _streams: streams.collect(),
        }
    }
}

/// Sends as much as the socket takes, at most 64 KiB, and returns how much that was. A socket that the host has closed takes
/// nothing.
fn send((stream, sent): &mut (TcpStream, usize), requests: &[u8]) -> usize {
    let before = *sent;
    while *sent - before < 64 << 10 {
        match stream.write(&requests[*sent % requests.len()..]) {
            Ok(count) if count > 0 => *sent += count,
            _ => break,
        }
    }
    *sent - before
}

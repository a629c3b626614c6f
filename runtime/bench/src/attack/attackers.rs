//! Clients that mean no good: each one begins again as soon as the platform ends its connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::overload::{RawConnection, get};

/// Clients that request a large answer and read a few bytes of it at a time.
const SLOW_READERS: usize = 40;

/// Clients that send a body byte by byte: more than the platform accepts connections.
const SLOW_WRITERS: usize = 1100;

/// Clients that request sorted pages of long lists, one after the other.
const SORTERS: usize = 25;

/// The bytes that a slow reader reads at a time.
const SLOW_READ: usize = 64;

/// The pause of a slow client between two reads or writes.
const SLOW_PAUSE: Duration = Duration::from_millis(500);

/// The pause of a client after the end of its connection.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The most expensive lists that the platform does not refuse.
const SORTED_LISTS: [&str; 3] = [
    "/cars?sort=carId,desc&size=1000&page=5",
    "/carviews?sort=carName,asc&carStatus=available&carType=sedan&size=1000&page=5",
    "/carviews?sort=amount,desc&size=1000&page=5",
];

/// All attackers; they end when the value is dropped.
pub struct Attackers {
    /// The thread ends when this is dropped.
    _alive: oneshot::Sender<()>,
}

impl Attackers {
    /// Starts them, on a thread of their own: they must not delay the clients whose latency is measured.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(address: SocketAddr) -> io::Result<Self> {
        let (alive, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("attackers".to_owned())
            .spawn(move || runtime.block_on(attack_until(address, ended)))?;
        Ok(Self { _alive: alive })
    }
}

async fn attack_until(address: SocketAddr, ended: oneshot::Receiver<()>) {
    let mut tasks = JoinSet::new();
    for _ in 0..SLOW_READERS {
        tasks.spawn(again(move || read_slowly(address)));
    }
    for _ in 0..SLOW_WRITERS {
        tasks.spawn(again(move || write_slowly(address)));
    }
    for number in 0..SORTERS {
        let list = SORTED_LISTS[number % SORTED_LISTS.len()];
        tasks.spawn(again(move || sort(address, list)));
    }
    // The sender is only ever dropped.
    let _ = ended.await;
}

/// Attacks again whenever the platform has ended an attack.
async fn again<F: Future<Output = io::Result<()>>>(attack: impl Fn() -> F) {
    loop {
        // Every end of an attack is a success of the platform.
        let _ = attack().await;
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn read_slowly(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&get("/carviews?size=1000")).await?;
    let mut buffer = [0; SLOW_READ];
    while stream.read(&mut buffer).await? > 0 {
        tokio::time::sleep(SLOW_PAUSE).await;
    }
    Ok(())
}

async fn write_slowly(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let head = "POST /cars HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await?;
    loop {
        tokio::time::sleep(SLOW_PAUSE).await;
        stream.write_all(b" ").await?;
    }
}

async fn sort(address: SocketAddr, list: &str) -> io::Result<()> {
    let mut connection = RawConnection::open(address).await?;
    let request = get(list);
    while let (_, true) = connection.send(&request).await? {}
    Ok(())
}

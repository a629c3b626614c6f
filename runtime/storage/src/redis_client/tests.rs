//! What a [`RedisClient`] does when its server goes away.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::test_support::{RedisServer, ping};
use super::*;

#[tokio::test]
async fn the_first_command_after_a_restart_succeeds() {
    let mut server = RedisServer::start().await;
    let client = server.client();
    ping(&client).await.unwrap();
    server.kill();
    server.restart().await;
    // The server is back and the old connection is closed: no command has failed to learn that.
    tokio::time::sleep(RECONNECT_INTERVAL).await;
    ping(&client).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_reported_at_once_and_found_when_back() {
    let mut server = RedisServer::start().await;
    let client = server.client();
    ping(&client).await.unwrap();
    server.kill();
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let asked = Instant::now();
        let error = ping(&client).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        quickest = quickest.min(asked.elapsed());
    }
    assert!(quickest < CONNECT_TIMEOUT, "took {quickest:?}");
    server.restart().await;
    tokio::time::sleep(RECONNECT_INTERVAL).await;
    ping(&client).await.unwrap();
}

#[tokio::test]
async fn a_hung_server_costs_a_bounded_wait_and_a_new_connection() {
    let server = RedisServer::start().await;
    let client = server.client();
    ping(&client).await.unwrap();
    server.freeze();
    let asked = Instant::now();
    let error = ping(&client).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    // The margin is for a busy machine. Without a bound, the call would never return.
    assert!(asked.elapsed() < 3 * RESPONSE_TIMEOUT);
    server.resume();
    tokio::time::sleep(RECONNECT_INTERVAL).await;
    ping(&client).await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_to_a_hung_server_is_closed_when_it_is_given_up() {
    let server = RedisServer::start().await;
    let client = server.client();
    ping(&client).await.unwrap();
    assert_eq!(open_connections(&server), 1);
    server.freeze();
    // The first has no reply, the second waits for it unsent, and the third finds no new connection.
    let second = async {
        tokio::time::sleep(RECONNECT_INTERVAL).await;
        ping(&client).await
    };
    let (first, second) = tokio::join!(ping(&client), second);
    assert!(first.is_err() && second.is_err());
    assert!(ping(&client).await.is_err());
    tokio::task::yield_now().await;
    assert_eq!(open_connections(&server), 0);
}

/// The established connections to the server, from the table of the system (`proc_net_tcp`): local address, remote
/// address, state.
#[cfg(target_os = "linux")]
fn open_connections(server: &RedisServer) -> usize {
    let url = server.url();
    let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();
    let remote = format!("0100007F:{port:04X}");
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let fields = table.lines().map(|line| line.split_whitespace().skip(2));
    fields
        .filter(|fields| fields.clone().take(2).eq([remote.as_str(), "01"]))
        .count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_leads_nowhere_does_not_keep_from_the_next_one() {
    // The queue of a listener that accepts nothing takes one connection more than its length; further ones wait.
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let full = full.listen(0).unwrap();
    let nowhere = full.local_addr().unwrap();
    let _queued = tokio::net::TcpStream::connect(nowhere).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connect = super::connection::connect_to_any([nowhere, address].into_iter());
    let socket = tokio::time::timeout(CONNECT_TIMEOUT, connect).await;
    assert_eq!(socket.unwrap().unwrap().peer_addr().unwrap(), address);
}

#[tokio::test]
async fn what_the_server_refuses_is_no_unavailability() {
    let server = RedisServer::start().await;
    let error = server
        .client()
        .query::<i64>(&redis::cmd("NOSUCH"))
        .await
        .unwrap_err();
    assert!(!error.is_unavailable());
    assert!(
        error.to_string().to_lowercase().contains("unknown command"),
        "{error}"
    );
}

/// As through a proxy that has lost its server.
#[tokio::test]
async fn a_server_that_does_not_speak_the_protocol_is_unavailable() {
    for reply in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n",
        "-ERR the backend is away\r\n",
        "-NOPERM this user has no permissions to run the 'hello' command\r\n",
    ] {
        let server = ReplyingServer::start(reply).await;
        let error = ping(&server.client()).await.unwrap_err();
        assert!(error.is_unavailable(), "{reply}: {error}");
        let opened = server.client().dedicated(RESPONSE_TIMEOUT).await;
        if let Err(error) = opened {
            assert!(error.is_unavailable(), "{reply}: {error}");
        }
    }
}

#[tokio::test]
async fn a_reply_that_cannot_be_parsed_costs_a_new_connection() {
    let server = ReplyingServer::start("%0\r\n").await;
    let client = server.client();
    // The first reply is that to `HELLO`. A map is no number.
    let error = client
        .query::<i64>(&redis::cmd("DBSIZE"))
        .await
        .unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    server.replies_with("+PONG\r\n");
    assert_eq!(ping(&client).await.unwrap(), "PONG");
    server.replies_with("<html>\r\n");
    let error = ping(&client).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    server.replies_with("+PONG\r\n");
    assert_eq!(ping(&client).await.unwrap(), "PONG");
}

/// As after a failover: the address leads to the successor, and the connection still to the server that became its replica.
#[tokio::test]
async fn a_server_that_became_a_replica_costs_a_new_connection_each_second_at_most() {
    let server = ReplyingServer::start("+OK\r\n").await;
    let client = server.client();
    ping(&client).await.unwrap();
    server.replies_with("-READONLY You can't write against a read only replica.\r\n");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ping(&client).await.unwrap_err().is_unavailable());
    server.replies_with("+OK\r\n");
    ping(&client).await.unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
    server.replies_with("-READONLY You can't write against a read only replica.\r\n");
    for _ in 0..10 {
        assert!(ping(&client).await.unwrap_err().is_unavailable());
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_script_that_the_server_has_lost_again_is_no_refusal() {
    // The reply to each command: also to the one that loads the script.
    let server = ReplyingServer::start("+OK\r\n").await;
    let client = server.client();
    ping(&client).await.unwrap();
    server.replies_with("-NOSCRIPT No matching script. Please use EVAL.\r\n");
    let script = redis::Script::new("return 1");
    let error = client.invoke::<i64>(&script.prepare_invoke()).await;
    let error = error.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}

#[tokio::test]
async fn a_temporary_error_of_one_command_makes_its_pipeline_unavailable() {
    let server = ReplyingServer::start("+OK\r\n").await;
    let client = server.client();
    ping(&client).await.unwrap();
    server.replies_with("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    let commands = [redis::cmd("PING"), redis::cmd("PING")];
    let error = client.pipeline(&commands).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}

/// A server that gives each command the same reply.
struct ReplyingServer {
    address: std::net::SocketAddr,
    reply: Arc<Mutex<&'static str>>,
    connections: Arc<AtomicUsize>,
}

impl ReplyingServer {
    async fn start(reply: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reply = Arc::new(Mutex::new(reply));
        let connections = Arc::<AtomicUsize>::default();
        let (replies, accepted) = (reply.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(answer(socket, replies.clone()));
            }
        });
        Self {
            address,
            reply,
            connections,
        }
    }

    fn client(&self) -> Arc<RedisClient> {
        RedisClient::new(&format!("redis://{}", self.address)).unwrap()
    }

    fn replies_with(&self, reply: &'static str) {
        *self.reply.lock() = reply;
    }
}

/// A command is an array: its first line begins with an asterisk.
async fn answer(mut socket: tokio::net::TcpStream, reply: Arc<Mutex<&'static str>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
        let commands = buffer[..read].iter().filter(|byte| **byte == b'*').count();
        let replies = reply.lock().repeat(commands);
        if socket.write_all(replies.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[test]
fn the_error_of_a_bad_address_does_not_contain_it() {
    let error = RedisClient::new("rediss://user:hidden@somewhere:port")
        .err()
        .unwrap();
    let message = error.to_string();
    assert!(!message.contains("hidden"), "{message}");
}

#[test]
fn a_user_without_a_password_is_not_dropped() {
    for address in ["redis://nopw@host", "redis://nopw:@host"] {
        let client = RedisClient::new(address).unwrap();
        let info = client.resp3.get_connection_info().redis_settings().clone();
        assert_eq!(info.username(), Some("nopw"));
        assert_eq!(info.password(), Some(""));
    }
}

#[test]
fn tls_is_supported_and_no_error_contains_the_address() {
    assert!(RedisClient::new("rediss://host:1/2").is_ok());
    for address in [
        "redis:/u:hunter2@host",
        "hunter2@nowhere",
        "redis://u:hunter2@host:x",
    ] {
        let error = RedisClient::new(address).err().unwrap();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(
            !format!("{error} {source:?}").contains("hunter2"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_many_tasks_travel_together() {
    const TASKS: u64 = 32;
    const COMMANDS: u64 = 32;
    let server = RedisServer::start().await;
    let client = server.client();
    let before = counters(&client).await;
    let tasks = (0..TASKS).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            for _ in 0..COMMANDS {
                ping(&client).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let [commands, reads] = counters(&client).await;
    assert_eq!(commands - before[0], TASKS * COMMANDS + 1);
    assert!(
        reads - before[1] <= TASKS * COMMANDS / 8,
        "{reads} {before:?}"
    );
}

/// The commands that the server has processed, and its reads from sockets.
async fn counters(client: &RedisClient) -> [u64; 2] {
    let info: String = client.query(redis::cmd("INFO").arg("stats")).await.unwrap();
    ["total_commands_processed:", "total_reads_processed:"].map(|name| {
        let value = info.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().parse().unwrap()
    })
}

//! The listener: who is let in, how long a connection lives, and how it ends.
//!
//! HTTP/1.1 and HTTP/2 without TLS share the one port. Every connection has a [`Place`]; when all are taken, whoever has
//! been quiet for longest makes room, and if nobody is quiet the newcomer is told so (503) instead of being left to wait.
//! The host's own health stays readable even then.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, trace, warn};

use super::line::{Line, linger, too_late};
use super::presence::{Crowd, Dismissal, Place};
use super::refusals::{self, Reason};
use super::streams::Streams;
use super::{Server, Visitor};
use config::policy::Listener;

/// How long to wait before accepting again when the process is out of file descriptors.
const BREATHER: Duration = Duration::from_millis(50);

/// How often the book of connections is looked through.
const ROUNDS: Duration = Duration::from_millis(250);

/// How long a connection that has nothing to do may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// Binds the port.
///
/// # Errors
/// When the port is taken or may not be used; the message says which and what to do.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{address} is taken by another program: stop it, or choose another with --listen {}:0",
            address.ip()
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    })
}

/// Serves until told to stop, then lets the requests in flight finish for as long as the slowest may take.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let crowd = Arc::<Crowd>::default();
    refusals::show();
    let mut connections = JoinSet::new();
    let mut rounds = tokio::time::interval(ROUNDS);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = rounds.tick() => {
                crowd.tidy(&server.limits(), Instant::now());
                continue;
            }
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // One connection that vanished, or no descriptor left: neither ends the platform.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BREATHER).await;
                continue;
            }
        };
        let limits = server.limits();
        let Some(place) = crowd.enter(limits.connections) else {
            debug!(%client, "no place, not even for a refusal");
            Reason::Crowded.count();
            continue;
        };
        prepare(&stream);
        connections.spawn(connection(
            server.clone(),
            limits,
            stream,
            client,
            place,
            stop.clone(),
        ));
    }
    drop(listener);
    let drain = server.current.get().drain_time();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, ended).await.is_err() {
        warn!(
            connections = crowd.count(),
            "some requests did not finish while draining"
        );
    }
    Ok(())
}

fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot switch Nagle's delay off");
    }
}

/// How a connection came to its end.
enum End {
    /// The protocol ended it.
    Finished,
    /// The client broke the protocol, or stopped taking its answer.
    Broken,
    /// The head of a request did not come in time.
    Slow,
    /// It was closed while nothing was under way.
    Closed,
}

async fn connection(
    server: Arc<Server>,
    limits: Arc<Listener>,
    stream: TcpStream,
    client: SocketAddr,
    place: Place,
    mut stop: watch::Receiver<bool>,
) {
    let presence = place.presence.clone();
    let (line, returned) = Line::new(stream, presence.clone(), limits.clone());
    let visitor = Visitor {
        address: client,
        presence: presence.clone(),
        seated: place.seated,
    };
    let end = {
        let service = service_fn(move |request| {
            let (server, visitor) = (server.clone(), visitor.clone());
            async move { Ok::<_, Infallible>(server.answer(request, &visitor).await) }
        });
        let protocol = protocol(&limits);
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(line), service));
        let goodbye = tokio::select! {
            ended = connection.as_mut() => Err(ended),
            dismissal = presence.dismissed() => Ok(dismissal),
            _ = stop.wait_for(|stop| *stop) => Ok(Dismissal::Idle),
        };
        match goodbye {
            Err(Ok(())) => End::Finished,
            Err(Err(error)) => {
                let reason = Reason::of_connection(&*error);
                reason.into_iter().for_each(Reason::count);
                trace!(%client, error, "connection ended");
                End::Broken
            }
            Ok(Dismissal::Slow) => End::Slow,
            Ok(Dismissal::Idle) => {
                connection.as_mut().graceful_shutdown();
                // What is under way finishes; who merely stays connected is given a moment.
                loop {
                    match tokio::time::timeout(GOODBYE, connection.as_mut()).await {
                        Ok(_) => break End::Finished,
                        Err(_) if presence.is_quiet() => break End::Closed,
                        Err(_) => {}
                    }
                }
            }
        }
    };
    // The requests of an HTTP/2 connection may outlive it by a moment, and with them the line.
    let Ok(Ok(mut stream)) = tokio::time::timeout(GOODBYE, returned).await else {
        return;
    };
    match end {
        End::Slow => {
            Reason::RequestTimeout.count();
            too_late(&mut stream).await;
            linger(stream).await;
        }
        End::Broken => linger(stream).await,
        End::Finished | End::Closed if presence.is_unread() => linger(stream).await,
        End::Finished | End::Closed => {}
    }
    drop(place);
}

fn protocol(limits: &Listener) -> auto::Builder<Streams> {
    let mut protocol = auto::Builder::new(Streams::new(limits));
    protocol
        .http1()
        .timer(TokioTimer::new())
        // The book of connections counts the time of a head, and tells it from the pause before.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_buf_size(limits.head);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.resets)
        .max_local_error_reset_streams(limits.resets);
    protocol
}

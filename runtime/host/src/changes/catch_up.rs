//! What listeners have missed, read from the log for one listener at a time.
//!
//! A listener that comes back may have missed thousands of events, and hundreds of listeners may come back at once. If each
//! read for itself, all requests would wait: for the threads of the connections, and for the log, whose database serves one
//! call at a time. So the listeners of a host take turns: the host reads one page for the next listener, on the runtime for
//! events, and then leaves the log and the thread to others for a time. The turns are in the order of the requests, so that
//! a listener that has missed little waits for one page of each other listener at most.
//!
//! A listener requests a page when its client has read the one before. A client that reads slowly keeps one page in memory,
//! and no turn.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep};

use super::position::LogPosition;
use super::visibility::SharedMessage;
use event_log::LogError;

/// The number of changes in a page.
pub(super) const PAGE: usize = 32;

/// How many times as long as a page took to read nothing is read after it: reading takes a third of a thread at most.
const REST: u32 = 2;

/// The longest time in which nothing is read after a page. A page takes long when the log itself is slow.
const MAX_REST: Duration = Duration::from_millis(100);

/// Reads pages for the listeners of a host that are behind their feed.
#[derive(Clone)]
pub(super) struct CatchUps {
    runtime: Handle,
    /// One permit: the task that has it reads a page, and rests.
    pub turn: Arc<Semaphore>,
}

/// The next changes for a listener.
pub(super) struct Page {
    pub messages: Vec<SharedMessage>,
    /// The position after them.
    pub position: LogPosition,
}

/// A page that was requested. It fails when the feed has ended. The request is withdrawn when it is dropped.
pub(super) type PendingPage = oneshot::Receiver<Result<Page, LogError>>;

// === impl CatchUps ===

impl CatchUps {
    /// Reads pages on this runtime.
    pub fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Requests a page, which is read with `read` when it is the turn of this request, unless the feed has ended before.
    pub fn request(
        &self,
        read: impl Future<Output = Result<Page, LogError>> + Send + 'static,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> PendingPage {
        let (mut sender, page) = oneshot::channel();
        let turn = self.turn.clone();
        self.runtime.spawn(async move {
            let permit = tokio::select! {
                permit = turn.acquire() => permit,
                () = sender.closed() => return,
                () = ended => return,
            };
            let started = Instant::now();
            let read = read.await;
            let rest = (started.elapsed() * REST).min(MAX_REST);
            // A listener that has gone needs no page.
            let _ = sender.send(read);
            sleep(rest).await;
            drop(permit);
        });
        page
    }
}

//! A socket that gathers what the tasks of a process send, and writes it at once.
//!
//! All callers share one connection, and each of their commands is a few dozen bytes. Written one by one, every command
//! costs two system calls here, a round of the event loop of the server with a write to its append-only file, and often
//! the wake-up of a thread on both sides. Two waits gather them:
//!
//! - The first write waits until every other task that is ready on its thread had its turn. A thread without other ready
//!   tasks writes at once.
//! - While what was written has no reply, the next write waits, as with Nagle's algorithm (RFC 896). A command waits
//!   for at most one reply to another one; a server that works on one command at a time loses nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;

/// A stream of requests and replies whose writes are gathered. Its task polls reads before writes.
pub(super) struct GatheringStream<S> {
    inner: S,
    state: WriteState,
}

enum WriteState {
    /// Everything is written, and its first reply is here.
    Idle,
    /// The first write waits for the turn of the other tasks.
    Gathering(Arc<OthersTurn>),
    /// Writes go through until the next flush.
    Writing { has_written: bool },
    /// Everything is written, and its first reply is not here.
    Unanswered,
}

/// The turn of all other tasks that are ready on this thread.
struct OthersTurn {
    is_over: AtomicBool,
    waker: Waker,
}

// === impl GatheringStream ===

impl<S> GatheringStream<S> {
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            state: WriteState::Idle,
        }
    }

    /// Ready when a write goes through. Otherwise the task is woken at the end of the others' turn, or by a reply.
    fn poll_gathered(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &self.state {
            WriteState::Unanswered => return Poll::Pending,
            WriteState::Writing { .. } => {}
            WriteState::Gathering(turn) if turn.is_over.load(Ordering::Acquire) => {}
            // The others wake this task with each command that they send.
            WriteState::Gathering(turn) if turn.waker.will_wake(context.waker()) => {
                return Poll::Pending;
            }
            // Another task has taken over the stream since the turn began, or there is none yet.
            WriteState::Gathering(_) | WriteState::Idle => {
                self.state = WriteState::Gathering(OthersTurn::begin(context.waker()));
                return Poll::Pending;
            }
        }
        self.state = WriteState::Writing { has_written: true };
        Poll::Ready(())
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GatheringStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_gathered(context));
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(context))?;
        if let WriteState::Writing { has_written } = self.state {
            self.state = match has_written {
                true => WriteState::Unanswered,
                false => WriteState::Idle,
            };
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GatheringStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if let WriteState::Unanswered = self.state {
            self.state = WriteState::Writing { has_written: false };
        }
        Poll::Ready(Ok(()))
    }
}

// === impl OthersTurn ===

impl OthersTurn {
    /// Begins the turn; at its end the task of this waker is woken.
    fn begin(waker: &Waker) -> Arc<Self> {
        let turn = Arc::new(Self {
            is_over: AtomicBool::new(false),
            waker: waker.clone(),
        });
        // Tokio wakes a task that yields after all that are ready.
        let of_turn = Waker::from(turn.clone());
        let mut yielding = Box::pin(yield_now());
        let _ = yielding.as_mut().poll(&mut Context::from_waker(&of_turn));
        turn
    }
}

impl Wake for OthersTurn {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.waker.wake_by_ref();
    }
}

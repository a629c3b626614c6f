//! Which runtime do what, so that those who wait for each other do not stand in one line.
//!
//! | runtime | do |
//! |---|---|
//! | the main runtime's | guests that handle requests |
//! | `front` | connections: accept, read, refuse, answer; operators too |
//! | `back` | events: guests that handle them, and what keeps them going |
//!
//! A guest keeps its thread until it waits for something or the epoch ticks, and under load there are always more that
//! want to go on. In one line with them, nobody could even be told quickly that there is no room; and whoever reserves
//! would wait, at each of his steps, for dozens of events that others have caused. The operating system shares the
//! processors fairly among runtime: those who are few get their turn soon, and nobody starves.

use std::io;
use std::pin::pin;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{AbortHandle, JoinError};

/// The runtime of one runtime.
#[derive(Clone, Debug)]
pub struct RuntimeHandle(Handle);

/// RuntimeHandle that do one kind of work, apart from all others. What still runs there is dropped with them.
pub struct DedicatedRuntime {
    /// Nothing only while it is being dropped.
    runtime: Option<Runtime>,
    handle: RuntimeHandle,
}

// === impl RuntimeHandle ===

impl RuntimeHandle {
    /// Those of the caller.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn here() -> Self {
        Self(Handle::current())
    }

    /// To start something there.
    pub fn tokio(&self) -> &Handle {
        &self.0
    }

    /// Does the work on the thread of the caller, except for the tasks that it starts and the sockets that it opens:
    /// those belong here.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            let _here = self.0.enter();
            work.as_mut().poll(context)
        })
        .await
    }

    /// Does all of the work there while the caller waits; when he leaves, it ends.
    ///
    /// # Errors
    /// When it panicked, or the runtime have ended.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, JoinError> {
        let task = self.0.spawn(work);
        let _abort = AbortOnDrop(task.abort_handle());
        task.await
    }
}

/// A task that ends, if it has not, when this is dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl DedicatedRuntime ===

impl DedicatedRuntime {
    /// RuntimeHandle for connections: one for every two processors.
    ///
    /// # Errors
    /// When the system has no runtime left.
    pub fn io() -> io::Result<Self> {
        Self::start("io", (processors() / 2).max(1))
    }

    /// RuntimeHandle for events: one for every processor.
    ///
    /// # Errors
    /// When the system has no runtime left.
    pub fn events() -> io::Result<Self> {
        Self::start("events", processors())
    }

    fn start(name: &str, threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name(name)
            .enable_all()
            .build()?;
        Ok(Self {
            handle: RuntimeHandle(runtime.handle().clone()),
            runtime: Some(runtime),
        })
    }

    /// The runtime themselves.
    pub fn handle(&self) -> &RuntimeHandle {
        &self.handle
    }
}

impl Drop for DedicatedRuntime {
    fn drop(&mut self) {
        // To wait for it is not allowed here, and needless: it had its time to finish.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    const SOON: Duration = Duration::from_millis(5);

    fn thread() -> Option<String> {
        std::thread::current().name().map(str::to_owned)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_is_begun_at_the_front_is_done_elsewhere() {
        let io = DedicatedRuntime::io().unwrap();
        let main = RuntimeHandle::here();
        let begun = io.handle().tokio().spawn(async move {
            let at_work = main.scope(async { tokio::spawn(async { thread() }).await });
            (thread(), at_work.await.unwrap())
        });
        let (at_front, at_work) = begun.await.unwrap();
        assert_eq!(at_front.as_deref(), Some("io"));
        assert_ne!(at_work, at_front);
    }

    #[tokio::test]
    async fn what_is_run_elsewhere_ends_when_nobody_waits_for_it() {
        let io = DedicatedRuntime::io().unwrap();
        let held = Arc::new(());
        let work = held.clone();
        let never = io.handle().run(async move {
            std::future::pending::<()>().await;
            drop(work);
        });
        assert!(tokio::time::timeout(SOON, never).await.is_err());
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
        let name = io.handle().run(async { thread() }).await;
        assert_eq!(name.unwrap().as_deref(), Some("io"));
    }
}

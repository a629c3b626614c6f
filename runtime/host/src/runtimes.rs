//! The runtimes of the platform, one for each kind of work.
//!
//! | Runtime | Work | Threads |
//! |---|---|---|
//! | request runtime (the main one) | guests that handle requests | one for each processor; on Redis, one for two |
//! | `io` | connections: accept, read, reject, respond; the admin interface | one for two processors |
//! | `events` | guests that handle events, and their delivery | one for two processors |
//! | `traces` | the export of spans, if there is an exporter | one |
//!
//! A guest keeps its thread until it waits or the epoch ticks, and under load more guests are ready than there are
//! threads. On one runtime with them, even a rejection would wait, and every step of a request would wait behind the
//! events of other requests. The operating system shares the processors among threads, so that a runtime with little work
//! is served soon and none starves. Its share is larger for events than for requests, which cause the events: otherwise the
//! events of a full load would wait longer and longer.
//!
//! More threads for events would wake up each other for single events, which cost a fifth of the processor time of a
//! reservation on two processors. On Redis the same holds for requests, which wait for a reply of the server some forty
//! times in a reservation: the replies of a read wake all their tasks on one thread, and what these send next travels
//! together.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{AbortHandle, JoinError};

/// How far the threads for requests stay behind the others: with 4, such a thread has four tenths of the share.
#[cfg(target_os = "linux")]
const REQUEST_NICENESS: libc::c_int = 4;

/// A handle of one runtime.
#[derive(Clone, Debug)]
pub struct RuntimeHandle(Handle);

/// A runtime for one kind of work. Its tasks are dropped with it.
pub struct DedicatedRuntime {
    /// Absent only during the drop.
    runtime: Option<Runtime>,
    handle: RuntimeHandle,
}

// === impl RuntimeHandle ===

impl RuntimeHandle {
    /// The runtime of the caller.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn here() -> Self {
        Self(Handle::current())
    }

    /// Tokio's handle, to spawn tasks.
    pub fn tokio(&self) -> &Handle {
        &self.0
    }

    /// Polls the work on the thread of the caller. Tasks that it spawns and sockets that it opens belong to this
    /// runtime.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            let _here = self.0.enter();
            work.as_mut().poll(context)
        })
        .await
    }

    /// Runs the work on this runtime while the caller waits. The work ends when the caller stops waiting.
    ///
    /// # Errors
    /// When the work panicked, or the runtime has shut down.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, JoinError> {
        let task = self.0.spawn(work);
        let _abort = AbortOnDrop(task.abort_handle());
        task.await
    }
}

/// Aborts a task when it is dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl DedicatedRuntime ===

impl DedicatedRuntime {
    /// The runtime for connections: one thread for two processors.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn io() -> io::Result<Self> {
        Self::start("io", (processors() / 2).max(1))
    }

    /// The runtime for events: one thread for two processors.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn events() -> io::Result<Self> {
        Self::start("events", (processors() / 2).max(1))
    }

    /// The runtime for the export of spans: one thread, so that the work of encoding them takes no time of requests.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn traces() -> io::Result<Self> {
        Self::start("traces", 1)
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

    /// The handle of the runtime.
    pub fn handle(&self) -> &RuntimeHandle {
        &self.handle
    }
}

impl Drop for DedicatedRuntime {
    fn drop(&mut self) {
        // Blocking is not allowed here, and not needed: the tasks had their time to finish.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The number of threads for requests.
pub fn request_threads(is_on_redis: bool) -> usize {
    match is_on_redis {
        true => (processors() / 2).max(1),
        false => processors(),
    }
}

/// Leaves the calling thread a smaller share of the processors, beside threads that do not call this.
pub fn yield_to_other_runtimes() {
    #[cfg(target_os = "linux")]
    {
        #[expect(unsafe_code, reason = "the system offers this as a C function only")]
        // SAFETY: the call changes a number that the scheduler of the system reads. It never fails on Linux, where any thread
        // may lower its own priority.
        unsafe {
            libc::nice(REQUEST_NICENESS);
        }
    }
}

/// Checks that the system allows the threads of a host. Tokio panics when it cannot start the threads of a runtime.
///
/// # Errors
/// When it does not.
pub fn ensure_threads() -> anyhow::Result<()> {
    // Three runtimes, their blocking work, the compiler, and the threads of files and timers.
    let count = 4 * processors() + 16;
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let mut threads = Vec::new();
    let mut started = Ok(());
    for _ in 0..count {
        let wait = wait.clone();
        let thread = std::thread::Builder::new().spawn(move || {
            // The error of the closed channel ends the thread.
            let _ = wait.lock().recv();
        });
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                started = Err(error);
                break;
            }
        }
    }
    drop(release);
    let number = threads.len();
    for thread in threads {
        // The threads only wait; none can panic.
        let _ = thread.join();
    }
    started.with_context(|| {
        format!("the system allows {number} more threads, and a host needs about {count}: raise the limit (ulimit -u)")
    })
}

fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SHORT_TIMEOUT: Duration = Duration::from_millis(5);

    fn thread() -> Option<String> {
        std::thread::current().name().map(str::to_owned)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn tasks_in_a_scope_run_on_its_runtime() {
        let io = DedicatedRuntime::io().unwrap();
        let main = RuntimeHandle::here();
        let spawned = io.handle().tokio().spawn(async move {
            let scope_thread = main.scope(async { tokio::spawn(async { thread() }).await });
            (thread(), scope_thread.await.unwrap())
        });
        let (io_thread, scope_thread) = spawned.await.unwrap();
        assert_eq!(io_thread.as_deref(), Some("io"));
        assert_ne!(scope_thread, io_thread);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn events_have_a_larger_share_of_the_processors_than_requests() {
        // The nineteenth field, after the name in parentheses.
        let niceness = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let (_, fields) = stat.rsplit_once(')').unwrap();
            fields
                .split_whitespace()
                .nth(16)
                .unwrap()
                .parse::<i32>()
                .unwrap()
        };
        let own = niceness();
        let other = std::thread::spawn(move || {
            yield_to_other_runtimes();
            niceness()
        });
        assert_eq!(other.join().unwrap(), (own + REQUEST_NICENESS).min(19));
        assert_eq!(niceness(), own);
    }

    #[tokio::test]
    async fn work_ends_when_its_caller_stops_waiting() {
        let io = DedicatedRuntime::io().unwrap();
        let resource = Arc::new(());
        let work = resource.clone();
        let never = io.handle().run(async move {
            std::future::pending::<()>().await;
            drop(work);
        });
        assert!(tokio::time::timeout(SHORT_TIMEOUT, never).await.is_err());
        while Arc::strong_count(&resource) > 1 {
            tokio::task::yield_now().await;
        }
        let name = io.handle().run(async { thread() }).await;
        assert_eq!(name.unwrap().as_deref(), Some("io"));
    }
}

//! Work that runs in the background of a scenario, such as load or a reader.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The signal for background work to stop.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

/// Sets the signal when it is dropped, also while a panic unwinds; without the signal the threads would never end.
struct SetOnDrop<'a>(&'a Stop);

/// Runs `work` on this many threads while `scenario` runs, and returns the results of both. `work` must return soon
/// after its [`Stop`] is set, which happens when the scenario ends or panics.
///
/// # Panics
/// When `work` panics.
pub fn in_background<W: Send, T>(
    threads: usize,
    work: impl Fn(usize, &Stop) -> W + Sync,
    scenario: impl FnOnce() -> T,
) -> (Vec<W>, T) {
    let stop = Stop::default();
    let (stop, work) = (&stop, &work);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|index| scope.spawn(move || work(index, stop)))
            .collect();
        let set_on_drop = SetOnDrop(stop);
        let result = scenario();
        drop(set_on_drop);
        let results = threads.into_iter().map(|thread| {
            let joined = thread.join();
            joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        (results.collect(), result)
    })
}

impl Stop {
    /// Whether the work must stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

//! Waiting calls, by priority and then by arrival.

use std::collections::VecDeque;

use tokio::sync::oneshot;

/// Waiting calls with the channel through which each receives its permit `P`.
///
/// Dropping the channel of a call unused tells the call that it was displaced.
#[derive(Debug)]
pub(super) struct PriorityQueue<P> {
    /// One queue for each level, the lowest level first; each in order of arrival.
    levels: Box<[VecDeque<Waiter<P>>]>,
    /// Increases with each call, so every level is sorted by number.
    next_number: u64,
}

#[derive(Debug)]
struct Waiter<P> {
    number: u64,
    permit: oneshot::Sender<P>,
}

impl<P> PriorityQueue<P> {
    pub fn new(levels: usize) -> Self {
        Self {
            levels: (0..levels).map(|_| VecDeque::new()).collect(),
            next_number: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.levels.iter().map(VecDeque::len).sum()
    }

    /// Whether a call of a level below this one waits.
    pub fn has_below(&self, level: usize) -> bool {
        self.levels[..level].iter().any(|it| !it.is_empty())
    }

    /// Adds a call and returns its number.
    pub fn push(&mut self, level: usize, permit: oneshot::Sender<P>) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.levels[level].push_back(Waiter { number, permit });
        number
    }

    /// Takes the oldest call of this level.
    pub fn pop(&mut self, level: usize) -> Option<oneshot::Sender<P>> {
        self.levels[level].pop_front().map(|waiter| waiter.permit)
    }

    /// Removes a call, if it still waits.
    pub fn remove(&mut self, level: usize, number: u64) {
        let queue = &mut self.levels[level];
        if let Ok(index) = queue.binary_search_by_key(&number, |waiter| waiter.number) {
            queue.remove(index);
        }
    }

    /// Displaces the most recent call of the lowest level below this one, if any waits.
    pub fn displace_below(&mut self, level: usize) {
        let mut lower = self.levels[..level].iter_mut();
        let _ = lower.find_map(VecDeque::pop_back);
    }

    /// Displaces all calls of this level and of those below.
    pub fn clear_up_to(&mut self, level: usize) {
        self.levels[..=level].iter_mut().for_each(VecDeque::clear);
    }
}

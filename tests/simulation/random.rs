//! The random source of a schedule: one seed decides every choice.

use fastrand::Rng;
use std::cell::RefCell;

/// A seeded random number generator that tasks can share.
#[derive(Debug)]
pub struct SeededRandom(RefCell<Rng>);

impl SeededRandom {
    /// The generator of one seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Neighbouring seeds start with similar numbers; seeding again with the first number separates them.
        let seed = rng.u64(..);
        Self(RefCell::new(Rng::with_seed(seed)))
    }

    /// The next number.
    pub fn next_u64(&self) -> u64 {
        self.0.borrow_mut().u64(..)
    }

    /// A number below `bound`, which must not be zero.
    pub fn below(&self, bound: usize) -> usize {
        self.0.borrow_mut().usize(..bound)
    }

    /// True in one of `times` cases; never for zero.
    pub fn one_in(&self, times: usize) -> bool {
        times > 0 && self.below(times) == 0
    }

    /// One of `choices`, which must not be empty.
    pub fn choose<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

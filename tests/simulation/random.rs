//! Where every choice of a schedule comes from: one seed.

use fastrand::Rng;
use std::cell::RefCell;

/// The seeded source of all choices.
#[derive(Debug)]
pub struct SeededRandom(RefCell<Rng>);

impl SeededRandom {
    /// The choices of one seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Neighbouring seeds begin alike; their first numbers tell them apart.
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

    /// True once in `times`; never for zero.
    pub fn one_in(&self, times: usize) -> bool {
        times > 0 && self.below(times) == 0
    }

    /// One of `choices`.
    pub fn choose<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

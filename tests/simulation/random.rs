//! Where every choice of a schedule comes from: one seed.

use fastrand::Rng;
use std::cell::RefCell;

/// The seeded source of all choices.
#[derive(Debug)]
pub struct Dice(RefCell<Rng>);

impl Dice {
    /// The choices of one seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Neighbouring seeds begin alike; their first numbers tell them apart.
        let seed = rng.u64(..);
        Self(RefCell::new(Rng::with_seed(seed)))
    }

    /// The next number.
    pub fn number(&self) -> u64 {
        self.0.borrow_mut().u64(..)
    }

    /// A number below `sides`, which must not be zero.
    pub fn below(&self, sides: usize) -> usize {
        self.0.borrow_mut().usize(..sides)
    }

    /// True once in `times`; never for zero.
    pub fn one_in(&self, times: usize) -> bool {
        times > 0 && self.below(times) == 0
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

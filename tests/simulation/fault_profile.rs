//! What may go wrong in one schedule, and how likely. Every schedule has a weather of its own: one
//! that has everything at once would rarely get anywhere.

use crate::{fakes::Context, random::Dice};
use std::cell::Cell;

/// What becomes of a call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It takes effect, and the caller hears of it.
    Works,
    /// It has no effect, and nobody answers.
    Fails,
    /// It takes effect, and nobody answers.
    Unheard,
    /// Nobody answers, and it takes effect afterwards.
    Late,
}

/// The chances of one schedule; each counts as "one in", and zero is never.
#[derive(Debug, Default)]
pub struct Weather {
    /// Crashes per step.
    pub crashes: usize,
    /// Callers that give up, per step.
    pub timeouts: usize,
    /// Calls of a store or the log that are not answered.
    hiccups: usize,
    /// Silences that begin or end, per step.
    pub silences: usize,
    /// Calls between contexts that are lost.
    losses: usize,
    /// Long jumps of the clock, per step.
    pub jumps: usize,
    /// Tasks that are slow.
    pub slow: usize,
    /// Sweeps, per step.
    pub sweeps: usize,
    /// Deliveries of what was delivered, per delivery.
    pub repeats: usize,
    /// Whether the stores report every swap as refused, as Spin's Redis provider does.
    pub denies_swaps: bool,
    /// Whether the money is taken by somebody elsewhere.
    pub has_gateway: bool,
    /// Whether reservations cut off contexts that are sick, as they do where no host does it, and
    /// somebody the gateway.
    pub has_breakers: bool,
    /// Whether the lists are compared with what there is, which costs time.
    pub has_readers: bool,
    /// Whether the rows of the view are kept, which costs more.
    pub has_view: bool,
    /// Set while there are no faults, before and after.
    calm: Cell<bool>,
    /// Whose stores are silent now; the last is the log.
    silent: [Cell<bool>; Context::ALL.len() + 1],
}

/// The place of the log among the silences.
const LOG: usize = Context::ALL.len();

impl Weather {
    /// The weather that the dice say.
    pub fn of(dice: &Dice) -> Self {
        let chance = |often: usize| dice.pick(&[0, often, often * 4]);
        Self {
            crashes: chance(16),
            timeouts: chance(8),
            hiccups: chance(40),
            silences: chance(40),
            slow: chance(4),
            losses: chance(12),
            jumps: dice.pick(&[5, 20, 80]),
            sweeps: dice.pick(&[4, 12, 40]),
            repeats: dice.pick(&[0, 4, 16]),
            denies_swaps: dice.one_in(8),
            has_gateway: dice.one_in(2),
            has_breakers: dice.one_in(3),
            has_readers: dice.one_in(4),
            has_view: dice.one_in(10),
            calm: Cell::new(true),
            ..Self::default()
        }
    }

    /// Begins the faults.
    pub fn breaks(&self) {
        self.calm.set(false);
    }

    /// Ends all faults.
    pub fn calms(&self) {
        self.calm.set(true);
        for silent in &self.silent {
            silent.set(false);
        }
    }

    /// Whether the faults are over.
    pub fn is_calm(&self) -> bool {
        self.calm.get()
    }

    /// Begins or ends a silence; says whose.
    pub fn turn_silence(&self, dice: &Dice) -> String {
        let place = dice.below(self.silent.len());
        let silent = &self.silent[place];
        silent.set(!silent.get());
        let who = match Context::ALL.get(place) {
            Some(context) => format!("the stores of {context:?}"),
            None => "the log".into(),
        };
        match silent.get() {
            true => format!("{who} fall silent"),
            false => format!("{who} answer again"),
        }
    }

    /// What becomes of a call of a context's stores.
    pub fn of_store(&self, context: Context, dice: &Dice) -> Fate {
        self.fate(context as usize, dice)
    }

    /// What becomes of a call of the log.
    pub fn of_log(&self, dice: &Dice) -> Fate {
        self.fate(LOG, dice)
    }

    /// What becomes of a call of the gateway.
    pub fn of_gateway(&self, dice: &Dice) -> Fate {
        match !self.is_calm() && dice.one_in(self.losses) {
            true => dice.pick(&[Fate::Fails, Fate::Unheard, Fate::Late]),
            false => Fate::Works,
        }
    }

    /// Whether the gateway is not even asked.
    pub fn cuts_off(&self, dice: &Dice) -> bool {
        self.has_breakers && !self.is_calm() && dice.one_in(self.losses)
    }

    /// What becomes of a call to a context before it arrives.
    pub fn of_call(&self, dice: &Dice) -> Fate {
        match !self.is_calm() && dice.one_in(self.losses) {
            true => dice.pick(&[Fate::Fails, Fate::Late]),
            false => Fate::Works,
        }
    }

    fn fate(&self, place: usize, dice: &Dice) -> Fate {
        match !self.is_calm() && (self.silent[place].get() || dice.one_in(self.hiccups)) {
            true => dice.pick(&[Fate::Fails, Fate::Fails, Fate::Unheard, Fate::Late]),
            false => Fate::Works,
        }
    }
}

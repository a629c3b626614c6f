//! The memory of answers that wait for slow clients.
//!
//! A component writes its answer at once, and the host holds what the client has not read yet. Many clients that read
//! slowly could make the host hold any amount. So all waiting answers share one budget; when it is used up, the answer
//! whose client has read nothing for the longest time is given up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// Ends one answer.
pub type GiveUp = Arc<dyn Fn() + Send + Sync>;

/// The answers of a listener that wait for their clients.
#[derive(Clone, Default)]
pub struct AnswerBudget(Arc<Mutex<WaitingAnswers>>);

#[derive(Default)]
struct WaitingAnswers {
    bytes: usize,
    next_number: u64,
    by_number: BTreeMap<u64, WaitingAnswer>,
}

struct WaitingAnswer {
    bytes: usize,
    /// When the client read the last part.
    since: Instant,
    give_up: GiveUp,
}

/// One answer, until it is dropped.
pub struct HeldAnswer {
    budget: AnswerBudget,
    number: u64,
}

// === impl AnswerBudget ===

impl AnswerBudget {
    /// Tracks an answer that `give_up` ends.
    pub fn hold(&self, give_up: GiveUp) -> HeldAnswer {
        let mut answers = self.0.lock();
        let number = answers.next_number;
        answers.next_number += 1;
        let answer = WaitingAnswer {
            bytes: 0,
            since: Instant::now(),
            give_up,
        };
        answers.by_number.insert(number, answer);
        HeldAnswer {
            budget: self.clone(),
            number,
        }
    }
}

// === impl WaitingAnswers ===

impl WaitingAnswers {
    /// Removes an answer; its bytes are free as soon as it has ended.
    fn remove(&mut self, number: u64) -> Option<WaitingAnswer> {
        let answer = self.by_number.remove(&number)?;
        self.bytes -= answer.bytes;
        Some(answer)
    }

    fn slowest(&self) -> Option<u64> {
        let waiting = self.by_number.iter().filter(|(_, answer)| answer.bytes > 0);
        let slowest = waiting.min_by_key(|(_, answer)| answer.since)?;
        Some(*slowest.0)
    }
}

// === impl HeldAnswer ===

impl HeldAnswer {
    /// Notes that the client has read a part, and that so many bytes wait for it now. Gives up the slowest answers while
    /// more than `limit` bytes wait in all.
    pub fn waits_with(&self, bytes: usize, limit: usize) {
        let mut ended = Vec::new();
        let mut answers = self.budget.0.lock();
        if let Some(answer) = answers.by_number.get_mut(&self.number) {
            let before = std::mem::replace(&mut answer.bytes, bytes);
            answer.since = Instant::now();
            answers.bytes = answers.bytes + bytes - before;
        }
        while answers.bytes > limit {
            let Some(slowest) = answers.slowest() else {
                break;
            };
            ended.extend(answers.remove(slowest));
        }
        drop(answers);
        for answer in ended {
            (answer.give_up)();
        }
    }
}

impl Drop for HeldAnswer {
    fn drop(&mut self) {
        self.budget.0.lock().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn answers(count: usize) -> (AnswerBudget, Vec<HeldAnswer>, Arc<AtomicUsize>) {
        let budget = AnswerBudget::default();
        let ended = Arc::new(AtomicUsize::new(0));
        let held = (0..count)
            .map(|index| {
                let ended = ended.clone();
                // The sum tells which answers were ended.
                budget.hold(Arc::new(move || {
                    ended.fetch_add(1 << index, Ordering::Relaxed);
                }))
            })
            .collect();
        (budget, held, ended)
    }

    #[test]
    fn the_slowest_answers_are_given_up_first() {
        let (_budget, held, ended) = answers(4);
        for answer in &held {
            answer.waits_with(30, 100);
        }
        assert_eq!(ended.load(Ordering::Relaxed), 0b0001);
        // The second has read everything; the third is now the slowest with bytes.
        held[1].waits_with(0, 100);
        held[3].waits_with(80, 100);
        assert_eq!(ended.load(Ordering::Relaxed), 0b0101);
    }

    #[test]
    fn an_ended_answer_frees_its_bytes() {
        let (budget, mut held, ended) = answers(2);
        held[0].waits_with(100, 100);
        held.remove(0);
        held[0].waits_with(100, 100);
        assert_eq!(ended.load(Ordering::Relaxed), 0);
        held.clear();
        assert_eq!(budget.0.lock().bytes, 0);
    }
}

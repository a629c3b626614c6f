//! Who runs and who waits, behind one short lock.
//!
//! As long as anybody waits, every place is taken, and one that becomes free is handed over directly instead of being
//! put up for all. A place is moved, never copied: [`Door::leave`] and [`Door::resize`] count it as running already when
//! they hand out the sender for it.
//!
//! There are two lines, both first come, first served. The *patient* one is the only one in calm times. Once somebody was
//! refused, there is an overload of those who matter no more than he, and for [`CALM`] after the last refusal newcomers
//! of their kind stand in the *brief* line, which goes first: it has room for a quarter as many as there are places, and
//! nobody stays for longer than [`BRIEF`], or than it takes until a place becomes free if that is longer. Those few see to
//! it that no place stays empty; for everybody else the answer is known on the spot ([`Door::turn_away`]), and costs
//! neither a timer nor a second look. If it goes on for [`LASTING`], those who came before have waited for too long to be
//! answered in time, and are sent away.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Permit, Place, Snapshot};
use crate::Priority;

/// How long a newcomer waits in an overload: about as long as he would notice.
const BRIEF: Duration = Duration::from_millis(5);

/// Whoever got no place in this time, or in a quarter of what anybody waits at most, was refused by an overload, and not
/// by his own deadline.
pub(super) const TELLING: Duration = Duration::from_millis(100);

/// How long after the last refusal an overload is over.
const CALM: Duration = Duration::from_secs(2);

/// From when on an overload is more than a crowd that came at once.
const LASTING: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Door {
    concurrency: usize,
    /// The most calls that may wait in each line.
    queue: usize,
    running: usize,
    patient: Lines,
    brief: Lines,
    /// By priority of who was refused.
    overloads: [Option<Overload>; Priority::ALL.len()],
    departures: Departures,
    next_ticket: u64,
    admitted: u64,
    refused: [u64; Priority::ALL.len()],
}

/// How soon a place becomes free while all are taken.
#[derive(Debug, Default)]
struct Departures {
    /// When the last place was taken, or given back and taken again.
    since: Option<Instant>,
    /// The time from there to the next departure, on a moving average.
    apart: Duration,
}

/// What becomes of a call at the door.
pub(super) enum Entry {
    Admitted,
    Queued {
        ticket: Ticket,
        place: oneshot::Receiver<Permit>,
    },
    Refused {
        running: usize,
    },
}

/// What a waiting call can be found by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    number: u64,
    priority: Priority,
    is_brief: bool,
    /// How long he waits in this line.
    pub patience: Duration,
}

/// Somebody was refused not long ago.
#[derive(Clone, Copy, Debug)]
struct Overload {
    since: Instant,
    last: Instant,
}

/// By priority, the least first; within one, in order of arrival.
type Lines = [VecDeque<Waiter>; Priority::ALL.len()];

#[derive(Debug)]
struct Waiter {
    /// Grows from one to the next, so that a queue is sorted by it.
    ticket: u64,
    /// Dropped unused, it tells the waiter that he was displaced.
    place: Place,
}

impl Door {
    pub fn new(concurrency: usize, queue: usize) -> Self {
        Self {
            concurrency,
            queue,
            running: 0,
            patient: Lines::default(),
            brief: Lines::default(),
            overloads: Default::default(),
            departures: Departures::default(),
            next_ticket: 0,
            admitted: 0,
            refused: Default::default(),
        }
    }

    pub fn enter(&mut self, priority: Priority) -> Entry {
        if self.running < self.concurrency {
            self.running += 1;
            self.admitted += 1;
            if self.running >= self.concurrency {
                self.departures.wait();
            }
            return Entry::Admitted;
        }
        if let Some(running) = self.turn_away(priority) {
            return Entry::Refused { running };
        }
        let is_brief = self.is_overloaded(priority);
        let room = self.room(is_brief);
        let lines = match is_brief {
            true => &mut self.brief,
            false => &mut self.patient,
        };
        if count(lines) >= room {
            displace_less_than(lines, priority);
        }
        let number = self.next_ticket;
        self.next_ticket += 1;
        let (sender, place) = oneshot::channel();
        lines[priority.index()].push_back(Waiter {
            ticket: number,
            place: sender,
        });
        let ticket = Ticket {
            number,
            priority,
            is_brief,
            patience: match is_brief {
                true => self.departures.soon().max(BRIEF),
                false => Duration::MAX,
            },
        };
        Entry::Queued { ticket, place }
    }

    /// Refuses a newcomer who would get neither a place nor one in the line, and tells how many run.
    pub fn turn_away(&mut self, priority: Priority) -> Option<usize> {
        if self.running < self.concurrency {
            return None;
        }
        let is_brief = self.is_overloaded(priority);
        let lines = match is_brief {
            true => &self.brief,
            false => &self.patient,
        };
        let mut lesser = lines[..priority.index()].iter();
        let is_refused = count(lines) >= self.room(is_brief) && lesser.all(VecDeque::is_empty);
        is_refused.then(|| self.note_refusal(priority))
    }

    /// How many may stand in a line.
    fn room(&self, is_brief: bool) -> usize {
        match is_brief {
            true => self.queue.min(self.concurrency.div_ceil(4)),
            false => self.queue,
        }
    }

    fn is_overloaded(&self, priority: Priority) -> bool {
        let overloads = self.overloads[priority.index()..].iter().flatten();
        overloads.into_iter().any(|it| it.last.elapsed() < CALM)
    }

    /// A call ended: to whom its place goes, if anybody waits and it is still there.
    pub fn leave(&mut self) -> Option<Place> {
        if self.running >= self.concurrency {
            self.departures.note();
        }
        self.running -= 1;
        self.admit_next()
    }

    /// There are more places now, or fewer: who gets one.
    pub fn resize(&mut self, concurrency: usize) -> Vec<Place> {
        self.concurrency = concurrency;
        self.departures.since = None;
        std::iter::from_fn(|| self.admit_next()).collect()
    }

    fn admit_next(&mut self) -> Option<Place> {
        if self.running >= self.concurrency {
            return None;
        }
        let lines = self.brief.iter_mut().zip(&mut self.patient).rev();
        let next = lines
            .filter_map(|(brief, patient)| brief.pop_front().or_else(|| patient.pop_front()))
            .next()?;
        self.running += 1;
        self.admitted += 1;
        Some(next.place)
    }

    /// One who waited does not any more, for whatever reason.
    pub fn leave_queue(&mut self, ticket: Ticket) {
        let lines = match ticket.is_brief {
            true => &mut self.brief,
            false => &mut self.patient,
        };
        let line = &mut lines[ticket.priority.index()];
        if let Ok(place) = line.binary_search_by_key(&ticket.number, |waiter| waiter.ticket) {
            line.remove(place);
        }
    }

    /// Counts a refusal, and tells how many run.
    pub fn count_refusal(&mut self, priority: Priority) -> usize {
        self.refused[priority.index()] += 1;
        self.running
    }

    /// Counts a refusal that shows an overload, and tells how many run.
    pub fn note_refusal(&mut self, priority: Priority) -> usize {
        let now = Instant::now();
        let overload = &mut self.overloads[priority.index()];
        let begun = overload.filter(|it| now - it.last < LASTING);
        let since = begun.map_or(now, |it| it.since);
        *overload = Some(Overload { since, last: now });
        if now - since >= LASTING {
            // Whoever stands there finds his place dropped.
            let lines = &mut self.patient[..=priority.index()];
            lines.iter_mut().for_each(VecDeque::clear);
        }
        self.count_refusal(priority)
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            concurrency: self.concurrency,
            running: self.running,
            waiting: count(&self.patient) + count(&self.brief),
            admitted: self.admitted,
            refused: self.refused,
        }
    }
}

// === impl Departures ===

impl Departures {
    /// The last place is taken.
    fn wait(&mut self) {
        self.since = Some(Instant::now());
    }

    /// One is given back.
    fn note(&mut self) {
        let now = Instant::now();
        if let Some(since) = self.since.replace(now) {
            self.apart = self.apart * 7 / 8 + (now - since) / 8;
        }
    }

    /// A little more than until the next.
    fn soon(&self) -> Duration {
        self.apart * 5 / 4
    }
}

fn count(lines: &Lines) -> usize {
    lines.iter().map(VecDeque::len).sum()
}

/// Sends away the youngest of those who matter least, if they matter less than this.
fn displace_less_than(lines: &mut Lines, priority: Priority) {
    let mut lesser = lines[..priority.index()].iter_mut();
    // His place is dropped unused: so he hears of it.
    let _ = lesser.find_map(VecDeque::pop_back);
}

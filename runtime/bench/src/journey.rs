//! What is measured, in the order of a customer's story: each scenario leaves behind what the next one needs.
//!
//! Cars that were registered are reserved, reservations that were made are cancelled, and the view shows it all. Between
//! two scenarios the view is given time to catch up, so that nobody pays for the events of another; how long that takes
//! is a figure of its own.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Deserialize;

use super::budget::Budget;
use super::connection::{Ask, Connection, Target};
use super::load::{Load, Turn, drive};
use super::options::Options;
use super::process::Process;
use super::report::{Delay, Row};

/// How long the view may take to catch up before the next scenario starts regardless.
const CATCH_UP: Duration = Duration::from_secs(8);

/// How much longer for each car that had to be registered first.
const CATCH_UP_PER_CAR: Duration = Duration::from_millis(3);

/// How often the view is asked whether it has caught up.
const LOOK: Duration = Duration::from_millis(20);

/// How often a waiting customer looks whether he is confirmed.
const GLANCE: Duration = Duration::from_millis(1);

/// How long he looks.
const PATIENCE: Duration = Duration::from_secs(10);

/// A platform and what has been done to it so far.
pub struct Journey<'a> {
    options: &'a Options,
    target: Target,
    process: Option<Process>,
    budget: Budget,
    /// What the view showed before we came.
    before: Totals,
    /// Cars registered so far.
    registered: Cell<u64>,
    /// Reservations that were made so far, and those cancelled again.
    reserved: Cell<u64>,
    cancelled: Cell<u64>,
    /// Cars that nobody has reserved yet.
    free: RefCell<Vec<u64>>,
    /// Reservations that nobody has cancelled yet.
    held: RefCell<Vec<u64>>,
}

/// What the view counts.
#[derive(Clone, Copy, Default)]
struct Totals {
    cars: u64,
    reserved: u64,
    cancelled: u64,
}

#[derive(Deserialize)]
struct Listing {
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    total_elements: u64,
}

#[derive(Deserialize)]
struct Reservation<'a> {
    status: &'a str,
}

impl<'a> Journey<'a> {
    /// Looks at what is there.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn begin(
        options: &'a Options,
        target: Target,
        process: Option<Process>,
        budget: Budget,
    ) -> anyhow::Result<Self> {
        let mut connection = target.connect().await?;
        let before = Totals::read(&mut connection).await?;
        Ok(Self {
            options,
            target,
            process,
            budget,
            before,
            registered: Cell::default(),
            reserved: Cell::default(),
            cancelled: Cell::default(),
            free: RefCell::default(),
            held: RefCell::default(),
        })
    }

    /// Every scenario in turn: its figures, and how long the view took to catch up afterwards.
    pub async fn run(&mut self) -> (Vec<Row>, Vec<Delay>) {
        let span = self.options.span();
        let all = usize::from(self.options.connections);
        let mut rows = Vec::new();
        let mut delays = Vec::new();

        let register = async |connection: &mut Connection| self.register(connection).await;
        rows.push(self.measure("register", all, span, register).await);
        self.register_more().await;
        delays.push(self.catch_up("register").await);

        let confirm = async |connection: &mut Connection| self.confirm(connection).await;
        rows.push(
            self.measure("confirmed, 1 customer", 1, span / 2, confirm)
                .await,
        );
        rows.push(
            self.measure("confirmed, all at once", all, span, confirm)
                .await,
        );
        self.catch_up("confirmed").await;

        let reserve = async |connection: &mut Connection| self.reserve(connection).await.map(turn);
        rows.push(self.measure("reserve", all, span, reserve).await);
        delays.push(self.catch_up("reserve").await);

        let cancel = async |connection: &mut Connection| self.cancel(connection).await;
        rows.push(self.measure("cancel", all, span, cancel).await);
        delays.push(self.catch_up("cancel").await);

        let first = "/carviews?size=20";
        let view = async |connection: &mut Connection| look(connection, first).await;
        rows.push(self.measure("view", all, span, view).await);

        let middle = self.cars() / 20 / 2;
        let deep = &format!("/carviews?size=20&page={middle}&sort=amount,desc");
        let view = async |connection: &mut Connection| look(connection, deep).await;
        rows.push(
            self.measure("view, sorted, middle page", all, span, view)
                .await,
        );
        (rows, delays)
    }

    /// How many cars there are.
    pub fn cars(&self) -> u64 {
        self.before.cars + self.registered.get()
    }

    async fn measure(
        &self,
        name: &str,
        connections: usize,
        span: Duration,
        work: impl AsyncFn(&mut Connection) -> anyhow::Result<Turn>,
    ) -> Row {
        eprintln!("measuring {name}");
        let span = self.budget.take(span);
        let taken = |process: Option<Process>| process.and_then(Process::processor_time);
        let (host, own) = (taken(self.process), taken(Some(Process::own())));
        let measured = drive(&self.target, Load { connections, span }, work).await;
        let since =
            |before: Option<Duration>, process| Some(taken(process)?.saturating_sub(before?));
        let host = since(host, self.process);
        let own = since(own, Some(Process::own()));
        Row::new(name, &measured, host, own)
    }

    // --- what a customer does ---

    pub(super) async fn register(&self, connection: &mut Connection) -> anyhow::Result<Turn> {
        let number = self.registered.get() + 1;
        self.registered.set(number);
        // Not in the order in which they are registered: sorting shall have something to do.
        let amount = 1000 + number.wrapping_mul(2_654_435_761) % 100_000;
        let car = format!(
            r#"{{"carName":"Mercedes-Benz {number}","carType":"sedan","amount":{amount}}}"#
        );
        match connection.ask(Ask::post("/cars", car)).await {
            Ok(answer) => self.free.borrow_mut().push(answer.new_id()?),
            Err(error) => {
                self.registered.set(self.registered.get() - 1);
                return Err(error);
            }
        }
        Ok(Turn::Done)
    }

    /// The reservation, or nothing when every car is taken.
    pub(super) async fn reserve(&self, connection: &mut Connection) -> anyhow::Result<Option<u64>> {
        let Some(car) = self.free.borrow_mut().pop() else {
            return Ok(None);
        };
        let body = format!(r#"{{"carId":{car},"status":"reqReserve"}}"#);
        let answer = connection.ask(Ask::post("/reservations", body)).await?;
        let reservation = answer.new_id()?;
        self.reserved.set(self.reserved.get() + 1);
        self.held.borrow_mut().push(reservation);
        Ok(Some(reservation))
    }

    /// Reserves, and looks again and again until events have made it `reserved`.
    async fn confirm(&self, connection: &mut Connection) -> anyhow::Result<Turn> {
        let Some(reservation) = self.reserve(connection).await? else {
            return Ok(Turn::NothingLeft);
        };
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = connection
                .ask(Ask::get(format!("/reservations/{reservation}")))
                .await?;
            let status = answer.json::<Reservation<'_>>()?.status;
            match status {
                "reserved" => return Ok(Turn::Done),
                "reqReserve" if Instant::now() < until => tokio::time::sleep(GLANCE).await,
                other => bail!("reservation {reservation} is `{other}` and not `reserved`"),
            }
        }
    }

    async fn cancel(&self, connection: &mut Connection) -> anyhow::Result<Turn> {
        let Some(reservation) = self.held.borrow_mut().pop() else {
            return Ok(Turn::NothingLeft);
        };
        let path = format!("/reservations/{reservation}");
        connection
            .ask(Ask::patch(path, r#"{"status":"reqCancel"}"#))
            .await?;
        self.cancelled.set(self.cancelled.get() + 1);
        Ok(Turn::Done)
    }

    // --- what happens in between ---

    /// Registers what the options ask for beyond the cars that are there.
    async fn register_more(&self) {
        let missing = self.options.cars.saturating_sub(self.cars());
        if missing > 0 {
            eprintln!("registering {missing} more cars");
            self.register_while(|| self.cars() < self.options.cars)
                .await;
        }
    }

    /// Registers cars until so many are free, and waits until the view shows them.
    pub(super) async fn stock(&self, free: usize) {
        self.register_while(|| self.free.borrow().len() < free)
            .await;
        self.catch_up("register").await;
    }

    /// The cars that nobody has reserved yet; whoever takes them, has them.
    pub(super) fn take_free(&self) -> Vec<u64> {
        self.free.take()
    }

    /// So many more were reserved by somebody else.
    pub(super) fn made(&self, reservations: usize) {
        self.reserved.set(self.reserved.get() + reservations as u64);
    }

    async fn register_while(&self, is_wanted: impl Fn() -> bool) {
        let work = async |connection: &mut Connection| match is_wanted() {
            true => self.register(connection).await,
            false => Ok(Turn::NothingLeft),
        };
        let load = Load {
            connections: self.options.connections.into(),
            span: self.budget.take(Duration::MAX) / 2,
        };
        drive(&self.target, load, work).await;
    }

    /// Waits until the view shows all that was done.
    pub(super) async fn catch_up(&self, after: &str) -> Delay {
        let wanted = Totals {
            cars: self.cars(),
            reserved: self.before.reserved + self.reserved.get() - self.cancelled.get(),
            cancelled: self.before.cancelled + self.cancelled.get(),
        };
        let cars = u32::try_from(self.registered.get()).unwrap_or(u32::MAX);
        let patience = self.budget.take(CATCH_UP + CATCH_UP_PER_CAR * cars);
        let started = Instant::now();
        let caught_up = tokio::time::timeout(patience, self.shows(&wanted)).await;
        Delay::new(
            after,
            caught_up
                .is_ok_and(|shown| shown.is_ok())
                .then(|| started.elapsed()),
        )
    }

    async fn shows(&self, wanted: &Totals) -> anyhow::Result<()> {
        let mut connection = self.target.connect().await?;
        while !Totals::read(&mut connection).await?.reaches(wanted) {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

// === impl Totals ===

impl Totals {
    async fn read(connection: &mut Connection) -> anyhow::Result<Self> {
        Ok(Self {
            cars: total(connection, "").await?,
            reserved: total(connection, "&rsvStatus=reserved").await?,
            cancelled: total(connection, "&rsvStatus=cancelled").await?,
        })
    }

    fn reaches(&self, wanted: &Self) -> bool {
        self.cars >= wanted.cars
            && self.reserved >= wanted.reserved
            && self.cancelled >= wanted.cancelled
    }
}

async fn total(connection: &mut Connection, filter: &str) -> anyhow::Result<u64> {
    let answer = connection
        .ask(Ask::get(format!("/carviews?size=1{filter}")))
        .await?;
    Ok(answer.json::<Listing>()?.page.total_elements)
}

async fn look(connection: &mut Connection, path: &str) -> anyhow::Result<Turn> {
    connection.ask(Ask::get(path)).await?;
    Ok(Turn::Done)
}

/// Who got no car has come too late.
pub(super) fn turn(made: Option<u64>) -> Turn {
    made.map_or(Turn::NothingLeft, |_| Turn::Done)
}

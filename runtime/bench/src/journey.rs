//! Scenarios of a run, in the order of a customer's journey: each scenario creates the data that the next one needs.
//!
//! The reserve scenarios use the registered cars, the cancel scenario uses the reservations, and the view shows all of
//! them. Between two scenarios the run waits until the view has caught up, so that the events of one scenario do not
//! slow the next. The duration of this wait is reported as a separate figure.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Deserialize;

use super::budget::Budget;
use super::connection::{Connection, ExpectedRequest, Target};
use super::load::{Iteration, Load, drive};
use super::options::Options;
use super::output::print_progress;
use super::process::Process;
use super::report::{Delay, Row};

/// Time for the view to catch up; after it the next scenario starts regardless.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(8);

/// Additional time to catch up for each car registered before.
const CATCH_UP_TIMEOUT_PER_CAR: Duration = Duration::from_millis(3);

/// Interval at which the run polls whether the view has caught up.
const VIEW_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Interval at which a customer polls the status of its reservation.
const CONFIRMATION_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Time limit for the confirmation of one reservation.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The platform under test and the data that the run has created so far.
pub struct Journey<'a> {
    options: &'a Options,
    target: Target,
    process: Option<Process>,
    budget: Budget,
    /// Totals of the view before the run.
    before: Totals,
    /// Number of cars registered so far.
    registered: Cell<u64>,
    /// Number of reservations made so far, and number of those cancelled again.
    reserved: Cell<u64>,
    cancelled: Cell<u64>,
    /// Cars without a reservation.
    free: RefCell<Vec<u64>>,
    /// Reservations that have not been cancelled.
    held: RefCell<Vec<u64>>,
}

/// Totals that the view reports.
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
    /// Connects to the platform and reads the current totals of the view.
    ///
    /// # Errors
    /// When the platform does not respond.
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

    /// Runs every scenario in turn; returns its figures and the delays until the view had caught up.
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

        let reserve =
            async |connection: &mut Connection| self.reserve(connection).await.map(iteration);
        rows.push(self.measure("reserve", all, span, reserve).await);
        delays.push(self.catch_up("reserve").await);

        let cancel = async |connection: &mut Connection| self.cancel(connection).await;
        rows.push(self.measure("cancel", all, span, cancel).await);
        delays.push(self.catch_up("cancel").await);

        let first = "/carviews?size=20";
        let view = async |connection: &mut Connection| view_page(connection, first).await;
        rows.push(self.measure("view", all, span, view).await);

        let middle = self.cars() / 20 / 2;
        let deep = &format!("/carviews?size=20&page={middle}&sort=amount,desc");
        let view = async |connection: &mut Connection| view_page(connection, deep).await;
        rows.push(
            self.measure("view, sorted, middle page", all, span, view)
                .await,
        );
        (rows, delays)
    }

    /// Returns the number of cars, including those from before the run.
    pub fn cars(&self) -> u64 {
        self.before.cars + self.registered.get()
    }

    async fn measure(
        &self,
        name: &str,
        connections: usize,
        span: Duration,
        work: impl AsyncFn(&mut Connection) -> anyhow::Result<Iteration>,
    ) -> Row {
        print_progress(format_args!("measuring {name}"));
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

    // --- requests of a customer ---

    pub(super) async fn register(&self, connection: &mut Connection) -> anyhow::Result<Iteration> {
        let number = self.registered.get() + 1;
        self.registered.set(number);
        // Amounts do not follow the order of registration, so that a sorted view has rows to reorder.
        let amount = 1000 + number.wrapping_mul(2_654_435_761) % 100_000;
        let car = format!(
            r#"{{"carName":"Mercedes-Benz {number}","carType":"sedan","amount":{amount}}}"#
        );
        match connection.send(ExpectedRequest::post("/cars", car)).await {
            Ok(answer) => self.free.borrow_mut().push(answer.new_id()?),
            Err(error) => {
                self.registered.set(self.registered.get() - 1);
                return Err(error);
            }
        }
        Ok(Iteration::Done)
    }

    /// Reserves a free car; returns the reservation, or `None` when no car is free.
    pub(super) async fn reserve(&self, connection: &mut Connection) -> anyhow::Result<Option<u64>> {
        let Some(car) = self.free.borrow_mut().pop() else {
            return Ok(None);
        };
        let body = format!(r#"{{"carId":{car},"status":"reqReserve"}}"#);
        let answer = connection
            .send(ExpectedRequest::post("/reservations", body))
            .await?;
        let reservation = answer.new_id()?;
        self.reserved.set(self.reserved.get() + 1);
        self.held.borrow_mut().push(reservation);
        Ok(Some(reservation))
    }

    /// Reserves a car and polls the reservation until events have made it `reserved`.
    async fn confirm(&self, connection: &mut Connection) -> anyhow::Result<Iteration> {
        let Some(reservation) = self.reserve(connection).await? else {
            return Ok(Iteration::NothingLeft);
        };
        let until = Instant::now() + CONFIRMATION_TIMEOUT;
        loop {
            let answer = connection
                .send(ExpectedRequest::get(format!("/reservations/{reservation}")))
                .await?;
            let status = answer.json::<Reservation<'_>>()?.status;
            match status {
                "reserved" => return Ok(Iteration::Done),
                "reqReserve" if Instant::now() < until => {
                    tokio::time::sleep(CONFIRMATION_POLL_INTERVAL).await
                }
                other => bail!("reservation {reservation} is `{other}`, expected `reserved`"),
            }
        }
    }

    async fn cancel(&self, connection: &mut Connection) -> anyhow::Result<Iteration> {
        let Some(reservation) = self.held.borrow_mut().pop() else {
            return Ok(Iteration::NothingLeft);
        };
        let path = format!("/reservations/{reservation}");
        connection
            .send(ExpectedRequest::patch(path, r#"{"status":"reqCancel"}"#))
            .await?;
        self.cancelled.set(self.cancelled.get() + 1);
        Ok(Iteration::Done)
    }

    // --- between two scenarios ---

    /// Registers the cars that are missing from the number in the options.
    async fn register_more(&self) {
        let missing = self.options.cars.saturating_sub(self.cars());
        if missing > 0 {
            print_progress(format_args!("registering {missing} more cars"));
            self.register_while(|| self.cars() < self.options.cars)
                .await;
        }
    }

    /// Registers cars until at least `free` cars are free, and waits until the view shows them.
    pub(super) async fn ensure_free_cars(&self, free: usize) {
        self.register_while(|| self.free.borrow().len() < free)
            .await;
        self.catch_up("register").await;
    }

    /// Removes and returns the free cars; the caller reserves them itself.
    pub(super) fn take_free(&self) -> Vec<u64> {
        self.free.take()
    }

    /// Adds reservations that were made outside of this journey to the expected totals.
    pub(super) fn add_reserved(&self, reservations: usize) {
        self.reserved.set(self.reserved.get() + reservations as u64);
    }

    async fn register_while(&self, is_wanted: impl Fn() -> bool) {
        let work = async |connection: &mut Connection| match is_wanted() {
            true => self.register(connection).await,
            false => Ok(Iteration::NothingLeft),
        };
        let load = Load {
            connections: self.options.connections.into(),
            span: self.budget.take(Duration::MAX) / 2,
        };
        drive(&self.target, load, work).await;
    }

    /// Waits until the view shows all changes of the run.
    pub(super) async fn catch_up(&self, after: &str) -> Delay {
        let wanted = Totals {
            cars: self.cars(),
            reserved: self.before.reserved + self.reserved.get() - self.cancelled.get(),
            cancelled: self.before.cancelled + self.cancelled.get(),
        };
        let cars = u32::try_from(self.registered.get()).unwrap_or(u32::MAX);
        let timeout = self
            .budget
            .take(CATCH_UP_TIMEOUT + CATCH_UP_TIMEOUT_PER_CAR * cars);
        let started = Instant::now();
        let caught_up = tokio::time::timeout(timeout, self.wait_until_shown(&wanted)).await;
        Delay::new(
            after,
            caught_up
                .is_ok_and(|shown| shown.is_ok())
                .then(|| started.elapsed()),
        )
    }

    async fn wait_until_shown(&self, wanted: &Totals) -> anyhow::Result<()> {
        let mut connection = self.target.connect().await?;
        while !Totals::read(&mut connection).await?.reaches(wanted) {
            tokio::time::sleep(VIEW_POLL_INTERVAL).await;
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
        .send(ExpectedRequest::get(format!("/carviews?size=1{filter}")))
        .await?;
    Ok(answer.json::<Listing>()?.page.total_elements)
}

async fn view_page(connection: &mut Connection, path: &str) -> anyhow::Result<Iteration> {
    connection.send(ExpectedRequest::get(path)).await?;
    Ok(Iteration::Done)
}

/// Ends the worker when no car was free.
pub(super) fn iteration(made: Option<u64>) -> Iteration {
    made.map_or(Iteration::NothingLeft, |_| Iteration::Done)
}

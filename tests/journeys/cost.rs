//! Is the work that one reservation causes bounded, and does an idle platform do none? The counts are those of the
//! host and of the Redis server; unlike durations, they do not depend on the machine.

use std::thread;
use std::time::{Duration, Instant};

use harness::{Car, Mode, Platform, Setup};
use serde_json::json;

/// The reservations that one measurement averages over.
const RESERVATIONS: usize = 4;

/// The time after which the last event of a reservation is handled and recorded.
const SETTLE_TIME: Duration = Duration::from_millis(600);

/// The most statements that a reservation causes in all databases.
const MAX_STATEMENTS: f64 = 80.0;

/// The most commands that a reservation causes on Redis, and the scripts among them.
const MAX_COMMANDS: f64 = 90.0;
const MAX_SCRIPTS: f64 = 6.0;

/// The most calls of host functions for a file of the screen, for one stored car, and for a reservation with all its effects.
const MAX_HOST_CALLS_OF_FILE: f64 = 10.0;
const MAX_HOST_CALLS_OF_CAR: f64 = 12.0;
const MAX_HOST_CALLS_OF_RESERVATION: f64 = 80.0;

/// The requests of one measurement.
const REQUESTS: usize = 10;

/// The most commands for each second of an idle platform.
const MAX_IDLE_COMMANDS: f64 = 3.0;

/// The interval of the heartbeats of consumers, and a margin.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(2200);

/// The time over which an idle platform is observed.
const IDLE_TIME: Duration = Duration::from_millis(2500);

/// The same for a platform on Redis: a whole round of everything that it does from time to time, so that it does not matter
/// when the round begins.
const REDIS_IDLE_TIME: Duration = Duration::from_secs(30);

/// Sweeps are work that no reservation causes.
fn without_sweeps(mode: Mode) -> Platform {
    let setup = Setup::new(mode).manifest(|text| text.replace("sweep = \"5s\"", "sweep = \"1h\""));
    setup.start()
}

/// Registers a car and reserves it, so that every statement is prepared and every connection open; then registers the
/// cars of the measurement.
fn warmed_up(platform: &Platform) -> Vec<Car> {
    let first = platform.register_car("warm-up");
    platform.reserve(&first);
    platform.wait_for_view(&first, &json!({"rsvStatus": "reserved"}));
    let cars: Vec<Car> = (0..RESERVATIONS)
        .map(|number| platform.register_car(&format!("car {number}")))
        .collect();
    for car in &cars {
        platform.wait_for_view(car, &json!({"carStatus": "available"}));
    }
    thread::sleep(SETTLE_TIME);
    cars
}

/// Reserves the cars one after the other, and waits until each reservation has had all its effects.
fn reserve_each(platform: &Platform, cars: &[Car]) {
    for car in cars {
        platform.reserve(car);
        thread::sleep(SETTLE_TIME);
    }
}

fn assert_all_shown(platform: &Platform, cars: &[Car]) {
    for car in cars {
        platform.wait_for_view(car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));
    }
}

/// The statements on the host's own file and on the databases of components.
fn statements(platform: &Platform) -> [f64; 2] {
    let metrics = platform.admin().metrics();
    ["state", "component"].map(|database| {
        let series = format!("socar_sqlite_statements_total{{database=\"{database}\"}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&series));
        value.and_then(|value| value.parse().ok()).expect("a count")
    })
}

#[test]
fn an_embedded_reservation_executes_few_statements() {
    let platform = without_sweeps(Mode::Embedded);
    let cars = warmed_up(&platform);
    // The metrics report the statements before their own.
    let [scrape, _] = difference(statements(&platform), statements(&platform));
    let before = statements(&platform);
    reserve_each(&platform, &cars);
    let [state, component] = difference(before, statements(&platform));
    let per_reservation = [state - scrape, component].map(|count| count / RESERVATIONS as f64);
    assert_all_shown(&platform, &cars);
    eprintln!("statements of a reservation on the state and on the view: {per_reservation:?}");
    assert!(
        per_reservation.iter().sum::<f64>() <= MAX_STATEMENTS,
        "{per_reservation:?}"
    );
}

#[test]
fn an_idle_embedded_platform_executes_no_statement() {
    let platform = without_sweeps(Mode::Embedded);
    warmed_up(&platform);
    // Heartbeats look once more whether another process has caused the last writes.
    thread::sleep(HEARTBEAT_INTERVAL);
    let [scrape, _] = difference(statements(&platform), statements(&platform));
    let before = statements(&platform);
    thread::sleep(IDLE_TIME);
    let [state, component] = difference(before, statements(&platform));
    assert_eq!([state - scrape, component], [0.0, 0.0]);
}

#[test]
fn requests_call_few_host_functions() {
    let platform = without_sweeps(Mode::Embedded);
    warmed_up(&platform);
    let calls = |path: &str| {
        let get = || drop(platform.get(path).send().is(200));
        get();
        median_host_calls(&platform, (0..REQUESTS).map(|_| get))
    };
    let [file, car] = ["/assets/icon.svg", "/cars/1"].map(calls);
    eprintln!("host calls of a file: {file}, of a car: {car}");
    assert!(file <= MAX_HOST_CALLS_OF_FILE, "{file}");
    assert!(car <= MAX_HOST_CALLS_OF_CAR, "{car}");
}

#[test]
fn a_reservation_calls_few_host_functions() {
    let platform = without_sweeps(Mode::Embedded);
    let cars = warmed_up(&platform);
    let host = &platform;
    let reservations = cars.chunks(1).map(|car| move || reserve_each(host, car));
    let calls = median_host_calls(host, reservations);
    eprintln!("host calls of a reservation: {calls}");
    assert_all_shown(&platform, &cars);
    assert!(calls <= MAX_HOST_CALLS_OF_RESERVATION, "{calls}");
}

/// The median of the calls of host functions that each work causes: it ignores the start of an instance.
fn median_host_calls<F: FnOnce()>(platform: &Platform, works: impl Iterator<Item = F>) -> f64 {
    let calls = |work: F| {
        let before = host_calls(platform);
        work();
        host_calls(platform) - before
    };
    let mut calls: Vec<f64> = works.map(calls).collect();
    calls.sort_by(f64::total_cmp);
    calls[(calls.len() - 1) / 2]
}

/// The calls of host functions by all components.
fn host_calls(platform: &Platform) -> f64 {
    let metrics = platform.admin().metrics();
    let series = metrics
        .lines()
        .filter(|line| line.starts_with("socar_host_calls_total{"));
    let values = series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}

fn difference(before: [f64; 2], after: [f64; 2]) -> [f64; 2] {
    [after[0] - before[0], after[1] - before[1]]
}

#[test]
fn a_reservation_on_redis_executes_few_commands() {
    let platform = without_sweeps(Mode::Redis);
    let cars = warmed_up(&platform);
    let server = RedisStatistics::of(&platform);
    let idle = server.commands_while(|| thread::sleep(REDIS_IDLE_TIME));
    let idle_per_second = idle.map(|count| count / REDIS_IDLE_TIME.as_secs_f64());
    assert!(
        idle_per_second[0] <= MAX_IDLE_COMMANDS,
        "{idle_per_second:?}"
    );
    let began = Instant::now();
    let busy = server.commands_while(|| reserve_each(&platform, &cars));
    let seconds = began.elapsed().as_secs_f64();
    let per_reservation = [0, 1].map(|kind| {
        let caused = busy[kind] - idle_per_second[kind] * seconds;
        caused / RESERVATIONS as f64
    });
    eprintln!(
        "commands and scripts per reservation: {per_reservation:?}, idle per second: {idle_per_second:?}"
    );
    assert_all_shown(&platform, &cars);
    let [commands, scripts] = per_reservation;
    assert!(commands <= MAX_COMMANDS, "{per_reservation:?}");
    assert!(scripts.round() <= MAX_SCRIPTS, "{per_reservation:?}");
}

/// The counts that a Redis server keeps of its commands.
struct RedisStatistics(redis::Client);

impl RedisStatistics {
    fn of(platform: &Platform) -> Self {
        let url = platform.redis_url().expect("a Redis");
        Self(redis::Client::open(url).expect("a URL"))
    }

    /// The number of executed commands, also by scripts, and the number of scripts.
    fn commands_while(&self, work: impl FnOnce()) -> [f64; 2] {
        let before = self.executed();
        work();
        difference(before, self.executed())
    }

    fn executed(&self) -> [f64; 2] {
        let mut connection = self.0.get_connection().expect("a connection");
        let mut ask = redis::cmd("INFO");
        let text: String = ask
            .arg("commandstats")
            .query(&mut connection)
            .expect("the statistics");
        let mut counts = [0.0; 2];
        for line in text.lines() {
            let Some((name, calls)) = command_calls(line) else {
                continue;
            };
            match name {
                "info" | "client|setinfo" | "hello" => {}
                "eval" | "evalsha" => counts[1] += calls,
                _ => counts[0] += calls,
            }
        }
        counts
    }
}

/// The name and the number of calls in a line such as `cmdstat_get:calls=13,usec=…`.
fn command_calls(line: &str) -> Option<(&str, f64)> {
    let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    let (calls, _) = rest.split_once(',')?;
    Some((name, calls.parse().ok()?))
}

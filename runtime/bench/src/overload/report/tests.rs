//! The report of an overload, from prepared phases.

use super::*;

fn overload_run(admitted: u64, each: u64) -> OverloadRun {
    let outcome = OverloadOutcome {
        admitted: Samples::new((0..admitted).map(|_| Duration::from_millis(each)).collect()),
        in_time: 900,
        refused: Samples::new(vec![Duration::from_millis(2); 100]),
        ..OverloadOutcome::default()
    };
    let memory = OverloadMemory::new(50_000_000, 90_000_000, 51_000_000, Duration::from_secs(9));
    let duration = RunDuration {
        span: Duration::from_secs(9),
        until_complete: Duration::from_secs(10),
    };
    OverloadRun::new(&outcome, duration, memory)
}

#[test]
fn the_table_shows_both_runs_beside_the_aims() {
    let alone = Samples::new(vec![Duration::from_millis(10)]);
    let report = OverloadReport::new(
        &alone,
        100.0,
        1000.0,
        Duration::from_secs(10),
        overload_run(950, 25),
        overload_run(0, 0),
    );
    let text = report.to_string();
    let cells = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(cells("  % of the capacity"), ["90", "90", ">=", "90"]);
    assert_eq!(cells("  multiple of one customer"), ["2.5", "-", "<=", "3"]);
    assert_eq!(cells("  p99, ms"), ["2.0", "2.0", "<", "10"]);
    assert_eq!(cells("  afterwards"), ["51", "51", "as", "before"]);
}

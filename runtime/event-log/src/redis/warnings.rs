//! The settings of a Redis server that put an event log at risk.

/// The warnings that follow from the reply to `INFO everything`.
pub(super) fn of(info: &str) -> Vec<String> {
    let version = value(info, "redis_version");
    let mut warnings = Vec::new();
    if is_older_than_6_2(version) {
        warnings.push(format!("redis {version} is older than 6.2"));
    }
    if value(info, "aof_enabled") != "1" {
        warnings.push(
            "redis keeps no append-only file: a restart of the server loses all events".to_owned(),
        );
    }
    if !matches!(value(info, "maxmemory_policy"), "noeviction" | "") {
        warnings.push("redis may evict keys: set its maxmemory-policy to noeviction".to_owned());
    }
    warnings
}

fn value<'i>(info: &'i str, name: &str) -> &'i str {
    let mut pairs = info.lines().filter_map(|line| line.split_once(':'));
    pairs
        .find(|(key, _)| *key == name)
        .map_or("", |(_, value)| value)
}

fn is_older_than_6_2(version: &str) -> bool {
    let mut numbers = version
        .split('.')
        .filter_map(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) < (Some(6), Some(2))
}

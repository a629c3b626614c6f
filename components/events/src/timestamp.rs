//! A point in time in milliseconds since the Unix epoch; in JSON, text after RFC 3339 in UTC.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("format" = "date-time")))]
pub struct Timestamp(#[cfg_attr(feature = "schema", schemars(with = "String"))] u64);

impl Timestamp {
    /// The end of the year 9999, the last one that RFC 3339 can express.
    const MAX: u64 = 253_402_300_799_999;

    /// The time `millis` milliseconds after the Unix epoch, at most the end of the year 9999.
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self(millis.min(Self::MAX))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// The distance between two times, whichever is the later one.
    ///
    /// As an age, it makes a time that lies far in the future old: a clock that was set back, or that is
    /// behind the clock of another host, must not keep a record young for ever.
    #[must_use]
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(u64::try_from(since.as_millis()).unwrap_or(Self::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.0);
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text)
            .map(Self::from)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_timestamp_is_read_as_the_same_time() {
        let written = Timestamp::from_millis(1_763_856_000_123);
        let json = serde_json::to_string(&written).unwrap();
        assert_eq!(json, "\"2025-11-23T00:00:00.123Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), written);
    }

    #[test]
    fn a_time_far_in_the_future_is_as_old_as_one_far_in_the_past() {
        let now = Timestamp::from_millis(1_763_856_000_000);
        for hour_away in [now.0 - 3_600_000, now.0 + 3_600_000] {
            let written = Timestamp::from_millis(hour_away);
            assert_eq!(now.distance(written), Duration::from_secs(3600));
        }
    }

    #[test]
    fn a_time_after_the_year_9999_is_clamped() {
        assert_eq!(
            Timestamp::from_millis(u64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }
}

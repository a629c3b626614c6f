//! The number of connections for which the process has file descriptors.
//!
//! Stores, the event log and calls to other hosts need descriptors too, and a probe must get an answer when all other
//! connections are in use. So a part of the limit is kept for each of them.

use anyhow::ensure;
use tracing::warn;

/// Connections beyond the limit that still get a response, at most.
const MAX_REFUSED: usize = 64;

/// The fewest connections with which a host starts.
const MIN_ADMITTED: usize = 4;

/// The number of connections that the process has descriptors for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCapacity {
    /// Connections that may send any request.
    pub admitted: usize,
    /// Connections beyond them that still get a response: the health of the platform, or 503.
    pub refused: usize,
}

// === impl ConnectionCapacity ===

impl ConnectionCapacity {
    /// The capacity within the limit of descriptors, of which `open` are in use. `wanted` is the policy.
    ///
    /// # Errors
    /// When almost none is left.
    pub fn within(limit: Option<usize>, open: usize, wanted: usize) -> anyhow::Result<Self> {
        let Some(limit) = limit else {
            return Ok(Self {
                admitted: usize::MAX,
                refused: MAX_REFUSED,
            });
        };
        let kept = (limit / 8).clamp(8, 512);
        let free = limit.saturating_sub(open + kept);
        let refused = (free / 8).clamp(1, MAX_REFUSED);
        let admitted = free.saturating_sub(refused);
        ensure!(
            admitted >= MIN_ADMITTED,
            "the limit of open files is {limit}, which leaves none for connections: raise it to at least {} (ulimit -n)",
            2 * (open + kept)
        );
        if admitted < wanted {
            warn!(
                limit,
                connections = admitted,
                "the limit of open files allows fewer connections than the policy `connections` ({wanted})"
            );
        }
        Ok(Self { admitted, refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_descriptors_is_kept_for_files_and_probes() {
        for (limit, open) in [(64, 40), (1024, 60), (1 << 20, 60)] {
            let capacity = ConnectionCapacity::within(Some(limit), open, 1024).unwrap();
            let used = capacity.admitted + capacity.refused + open;
            assert!(used + 8 <= limit, "{limit}: {capacity:?}");
            assert!(capacity.refused >= 1);
        }
        let capacity = ConnectionCapacity::within(Some(1 << 20), 60, 1024).unwrap();
        assert!(capacity.admitted > 100_000);
    }

    #[test]
    fn a_host_without_descriptors_for_connections_does_not_start() {
        let refused = ConnectionCapacity::within(Some(32), 24, 1024).unwrap_err();
        assert!(refused.to_string().contains("ulimit -n"), "{refused}");
    }
}

//! Does one sick component stay alone? The saboteur does its worst; its callers, its neighbour and its host go on.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod autoscale;
mod failure_isolation;
mod capabilities;
mod chaining;
mod fault_injection;
mod circuit_breaker;
mod dead_letters;
mod delivery;
mod fallback;
mod partial_responses;
mod isolation;
mod listener;
mod metrics;
mod overload;
mod readiness;
mod saboteur;
mod self_healing;
mod http_server;
mod zero_downtime;

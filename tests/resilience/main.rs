//! Does one sick component stay alone? The saboteur does its worst; its callers, its neighbour and its host go on.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod autoscale;
mod bystanders;
mod capabilities;
mod chaining;
mod chaos;
mod circuit_breaker;
mod dead_letters;
mod delivery;
mod fallback;
mod half_answers;
mod isolation;
mod listener;
mod metrics;
mod overload;
mod readiness;
mod saboteur;
mod self_healing;
mod serving;
mod zero_downtime;

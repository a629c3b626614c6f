//! Does the failure of one component stay with that component? The saboteur misbehaves; its callers, its neighbour
//! and its host must not be affected.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod autoscale;
mod capabilities;
mod chaining;
mod circuit_breaker;
mod compiled_ahead;
mod configuration_files;
mod dead_letters;
mod delivery;
mod failure_isolation;
mod fallback;
mod fault_injection;
mod functions;
mod http_server;
mod identity;
mod isolation;
mod listener;
mod machine;
mod metrics;
mod overload;
mod partial_responses;
mod readiness;
mod redis_isolation;
mod registry;
mod saboteur;
mod self_healing;
mod span_export;
mod traces;
mod zero_downtime;

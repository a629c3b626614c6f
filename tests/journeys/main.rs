//! Does a customer get what the story says? Every journey runs over HTTP, embedded and on a real Redis.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod compensation;
mod correlation;
mod cqrs;
mod gateway;
mod multiple_hosts;
mod invalid_input;
mod idempotency;
mod redis_outage;
mod persistence;
mod invariants;
mod rebuild;
mod relay;
mod request_response;
mod saga;
mod screen;
mod compatibility;
mod startup_errors;
mod load;
mod surface;

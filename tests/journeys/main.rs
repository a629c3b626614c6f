//! Does a customer get what the story says? Every journey runs over HTTP, embedded and on a real Redis.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod compensation;
mod correlation;
mod cqrs;
mod gateway;
mod hosts;
mod http;
mod idempotency;
mod outage;
mod persistence;
mod promises;
mod rebuild;
mod relay;
mod request_response;
mod saga;
mod screen;
mod seed;
mod start;
mod storm;
mod surface;

//! Does a customer get what the product promises? Every journey runs over HTTP, on the embedded backend and on
//! Redis.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod compatibility;
mod compensation;
mod conditional_requests;
mod correlation;
mod cors;
mod cost;
mod cqrs;
mod event_outages;
mod gateway;
mod histories;
mod idempotency;
mod insight;
mod invalid_input;
mod invariants;
mod load;
mod multiple_hosts;
mod persistence;
mod pods;
mod rebuild;
mod redis_outage;
mod relay;
mod request_response;
mod saga;
mod screen;
mod split_deployment;
mod startup_errors;
mod surface;
mod view_queries;

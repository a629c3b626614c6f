//! Does a customer get what the product promises? Every journey runs over HTTP, on the embedded backend and on
//! Redis.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod api_documents;
mod authorization;
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
mod identity;
mod insight;
mod invalid_input;
mod invariants;
mod limits;
mod live_changes;
mod load;
mod multiple_hosts;
mod operations;
mod persistence;
mod pods;
mod rebuild;
mod redis_outage;
mod registry;
mod relay;
mod request_response;
mod saga;
mod screen;
mod sign_in;
mod split_deployment;
mod startup_errors;
mod summary;
mod surface;
mod token_attacks;
mod traces;
mod view_queries;

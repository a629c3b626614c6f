//! Do the parts agree? What is declared in one place is compared with what another place does.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod application;
mod artifact;
mod boundaries;
mod deployment;
mod documentation;
mod documents;
mod events;
mod files;
mod interfaces;
mod language;
mod manifest;
mod policies;
mod screen;
mod structure;
mod token_verification;
mod worlds;

//! Do the parts agree? What is declared in one place is compared with what another place does.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod application;
mod boundaries;
mod deployment;
mod documentation;
mod events;
mod files;
mod interfaces;
mod language;
mod manifest;
mod policies;
mod structure;
mod worlds;

//! Starts the platform, talks to it as a customer would, and waits for what must come true.
//!
//! A test asks for a [`Platform`] and tells a story with it. Servers are shared by the tests of one binary, so a test
//! makes its own cars and assumes no ids; whoever needs an empty or a special platform starts one with [`Setup`].
//! Everything here panics when the world is not as it must be: a test may stop at its first surprise.

mod admin;
mod client;
mod components;
mod events;
mod eventually;
mod locks;
mod payment_gateway;
mod platform;
mod process;
mod programs;
mod redis_server;
mod steps;
mod workspace;

pub use client::{Client, Protocol, RequestBuilder, Response};
pub use components::ensure_built;
pub use events::EVENT_STREAMS;
pub use eventually::eventually;
pub use payment_gateway::{BodyEnd, Decision, Gateway, GatewayFault, ReceivedRequest};
pub use platform::{Mode, PAYMENT_LIMIT, Platform, Setup, socar};
pub use process::Process;
pub use programs::ensure_program;
pub use redis_server::RedisServer;
pub use steps::{Car, Reservation, cancellation_text, confirmation_text, rejection_text};
pub use workspace::{read, root, under_target};

/// Generates every named journey twice: as `embedded::…` and as `redis::…`.
///
/// A journey that is written but not named here is dead code, which the build reports.
#[macro_export]
macro_rules! journeys {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[test]
            fn $name() {
                super::$name($crate::Mode::Embedded);
            })+
        }
        mod redis {
            $(#[test]
            fn $name() {
                super::$name($crate::Mode::Redis);
            })+
        }
    };
}

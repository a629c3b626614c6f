//! Starts the platform, sends it requests as a customer or an operator would, and waits for expected results.
//!
//! A test takes a [`Platform`] and runs a scenario on it. The tests of one binary share servers, so a test registers its
//! own cars and assumes no ids; a test that needs an empty or a special platform starts one with [`Setup`]. Everything
//! here panics when a precondition does not hold: a test may stop at its first surprise.

mod admin;
mod background;
mod client;
mod collector;
mod components;
mod container;
mod event_stream;
mod events;
mod eventually;
mod identity;
mod kubernetes;
mod locks;
mod payment_gateway;
mod platform;
mod pod;
mod process;
mod programs;
mod redis_server;
mod registry_server;
mod registry_stub;
mod reserved_port;
mod setup;
mod steps;
mod stub_server;
mod workspace;

pub use admin::AdminPort;
pub use background::{Stop, in_background};
pub use client::{Client, Protocol, RequestBuilder, Response};
pub use collector::{CollectedSpan, Collector, CollectorFault, ExportRequest, OtlpProtocol, tree};
pub use components::{build_component, build_insight, ensure_built};
pub use container::Container;
pub use event_stream::{EventStream, StreamedEvent};
pub use events::event_streams;
pub use eventually::eventually;
pub use identity::{CLIENT_ID, TokenIssuer, local_token, platform_authorization};
pub use kubernetes::Manifests;
pub use payment_gateway::{BodyEnd, Decision, GatewayFault, PaymentGateway, ReceivedRequest};
pub use platform::{PAYMENT_LIMIT, Platform};
pub use pod::{Pod, RunningPod, Secrets};
pub use process::Process;
pub use programs::{ensure_program, ensure_schemathesis, find_or_install, socar};
pub use redis_server::RedisServer;
pub use registry_server::{RegistryClients, RegistryServer};
pub use registry_stub::{REGISTRY_USER, RegistryFault, RegistryLogin, RegistryStub};
pub use setup::{Mode, Setup};
pub use steps::{Car, Reservation, cancellation_text, confirmation_text, rejection_text};
pub use workspace::{new_state_dir, read, root, under_target};

/// Generates every named journey twice: as `embedded::…` and as `redis::…`.
///
/// A journey that is written but not named here is dead code, which the compiler reports.
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

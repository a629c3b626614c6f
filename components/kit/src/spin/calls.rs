//! The types of calls between contexts, as Spin's guests see them: `socar:calls/types`.
//!
//! The bindings of every interface between contexts use these types (`with` of `wit_bindgen::generate!`), so that the
//! conversions exist once.

use crate::{Effect, Origin, Platform, Unavailable};
pub use bindings::socar::calls::types;
use http_conventions::trace::{REQUEST_ID, TRACEPARENT};

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package socar:kit; world calls { import socar:calls/types@1.0.0; }",
        generate_all,
        generate_unused_types: true,
    });
}

impl types::Origin {
    /// The origin of the work in the callee; malformed ids are replaced by new ones of `platform`.
    #[must_use]
    pub fn received(&self, platform: &impl Platform) -> Origin {
        let unique_id = platform.unique_id();
        Origin::received(
            Some(&self.correlation_id),
            Some(&self.traceparent),
            &unique_id,
        )
    }
}

impl types::Origin {
    /// The headers that propagate the origin to another context over HTTP.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, &str); 2] {
        [
            (REQUEST_ID, &self.correlation_id),
            (TRACEPARENT, &self.traceparent),
        ]
    }
}

impl From<&Origin> for types::Origin {
    fn from(origin: &Origin) -> Self {
        Self {
            correlation_id: origin.correlation_id.clone(),
            traceparent: origin.traceparent.clone(),
            // Only a host knows how long the caller can wait.
            deadline: None,
        }
    }
}

impl From<Unavailable> for types::Unavailable {
    fn from(unavailable: Unavailable) -> Self {
        Self {
            message: unavailable.message,
            effect: match unavailable.effect {
                Effect::None => types::Effect::None,
                Effect::Unknown => types::Effect::Unknown,
                Effect::TimedOut => types::Effect::TimedOut,
            },
            retry_after: unavailable.retry_after,
        }
    }
}

impl From<types::Unavailable> for Unavailable {
    fn from(unavailable: types::Unavailable) -> Self {
        Self {
            message: unavailable.message,
            effect: match unavailable.effect {
                types::Effect::None => Effect::None,
                types::Effect::Unknown => Effect::Unknown,
                types::Effect::TimedOut => Effect::TimedOut,
            },
            retry_after: unavailable.retry_after,
        }
    }
}

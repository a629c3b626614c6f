//! The HTTP conventions of the contexts: routing, problem details, HAL, validators, paging.
//!
//! Everything here maps values to values, so that a native test covers the whole HTTP behaviour of a
//! context. [`serve`](serve()) is the frame around the handler of a context.

mod base_url;
pub mod bearer;
pub mod body;
pub mod context_calls;
mod cors;
pub mod etag;
mod forwarded;
pub mod hal;
pub mod json;
pub mod language;
mod message;
pub mod paging;
pub(crate) mod path;
pub mod problem;
pub mod relay;
mod serve;
pub mod upstream;

pub use base_url::base_url;
pub use body::BODY_LIMIT;
pub use cors::Readers;
pub use message::{Request, Response, json_response};
pub(crate) use problem::CORRUPT_STATE;
pub use problem::Problem;
pub use serve::{ResponseFuture, finish_response, serve};

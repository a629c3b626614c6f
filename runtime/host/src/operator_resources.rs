//! The resources for operators, as the public port reaches them: [`crate::admin`] has them.

use async_trait::async_trait;
use http::{Request, Response};
use wasmtime_wasi_http::WasiBody;

/// The actor of a client of this machine that has no name.
pub const LOCAL_PROGRAM: &str = "local-program";

/// The resources for operators.
#[async_trait]
pub trait OperatorResources: Send + Sync {
    /// Answers a request that was admitted, of this actor.
    async fn answer(&self, request: Request<WasiBody>, actor: &str) -> Response<WasiBody>;
}

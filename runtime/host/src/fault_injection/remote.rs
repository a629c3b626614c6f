//! Fault injection into requests to remote hosts: delays and errors.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Fault, FaultInjector};
use crate::body::full;

/// Injects faults into the remote requests of one component.
#[derive(Clone)]
pub struct RemoteFaults {
    injector: Arc<FaultInjector>,
    component: Arc<str>,
}

impl RemoteFaults {
    /// Faults for the requests of this component.
    pub fn new(injector: Arc<FaultInjector>, component: Arc<str>) -> Self {
        Self {
            injector,
            component,
        }
    }

    /// Injects the active faults before a request is sent. A response means that the request is not sent.
    ///
    /// # Errors
    /// When the injected latency is at least `timeout`.
    pub async fn inject(
        &self,
        origin: &str,
        timeout: Duration,
    ) -> Result<Option<Response<WasiBody>>, Error> {
        for (fault, latency) in self.injector.matching(&self.component, origin) {
            match fault {
                Fault::Latency if latency >= timeout => {
                    tokio::time::sleep(timeout).await;
                    return Err(Error::ConnectionReadTimeout);
                }
                Fault::Latency => tokio::time::sleep(latency).await,
                Fault::Error => {
                    let mut answer = Response::new(full(""));
                    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    return Ok(Some(answer));
                }
                Fault::Trap | Fault::Spin | Fault::Hoard | Fault::Drop => {}
            }
        }
        Ok(None)
    }
}

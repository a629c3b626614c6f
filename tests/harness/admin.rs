//! What operators see and do: the admin listener of a platform.

use http::Method;
use serde_json::{Value, json};

use crate::client::{RequestBuilder, Response};
use crate::platform::Platform;

impl Platform {
    /// What an operator sees at this path.
    #[track_caller]
    pub fn admin(&self, path: &str) -> Response {
        self.admin_request(Method::GET, path).send().is(200)
    }

    /// What an operator is about to ask for.
    ///
    /// # Panics
    /// When it is not known where the listener is.
    #[track_caller]
    pub fn admin_request(&self, method: Method, path: &str) -> RequestBuilder {
        let file = self.state_dir().join("admin");
        let address = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("no address in {}: {error}", file.display()));
        self.request(method, &format!("http://{}{path}", address.trim()))
    }

    /// The breaker of this link as an operator sees it; null as long as there is no such link.
    #[track_caller]
    pub fn breaker(&self, link: &str) -> Value {
        let list = self.admin("/breakers").json();
        let breakers = list["breakers"].as_array().into_iter().flatten();
        let mut wanted = breakers.filter(|breaker| breaker["link"] == link);
        wanted.next().cloned().unwrap_or_default()
    }

    /// Tells the breaker of a link to `force-open`, `force-closed` or `reset`, and returns it as it then is.
    #[track_caller]
    pub fn control_breaker(&self, order: &str, link: &str) -> Value {
        let asked = self.admin_request(Method::POST, &format!("/breakers/{order}"));
        asked.json(&json!({"link": link})).send().is(200).json()
    }

    /// Makes trouble, on a platform that was started with `--chaos`: see `/chaos`.
    #[track_caller]
    pub fn inject_fault(&self, experiment: &Value) {
        let asked = self.admin_request(Method::POST, "/chaos");
        asked.json(experiment).send().is(200);
    }

    /// Ends all trouble.
    #[track_caller]
    pub fn clear_faults(&self) {
        self.admin_request(Method::DELETE, "/chaos").send().is(200);
    }
}

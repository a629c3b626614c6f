//! Does a response that ends too early count as a failure, for the caller and for the breaker?

use harness::Response;
use serde_json::Value;

use crate::saboteur::Saboteur;

/// Two consecutive failures open the breaker, on the link from outside and on the link to the neighbour.
const POLICY: &str = r#"[application.tool.socar.links.saboteur]
breaker = { consecutive_failures = 2, open_duration = "1h" }

[component.saboteur.tool.socar.links.neighbour]
breaker = { consecutive_failures = 2, open_duration = "1h" }"#;

/// With a known length, a partial body is detectable; without one, its end looks like any other end.
const PARTIAL_PATHS: [&str; 4] = [
    "/partial?then=trap&length=30",
    "/partial?then=trap",
    "/partial?then=stall&length=30",
    "/partial?then=stall",
];

fn breaker_state(saboteur: &Saboteur, link: &str) -> Value {
    saboteur.admin().breaker(link)["state"].clone()
}

#[test]
fn a_client_detects_a_partial_response_and_the_breaker_opens() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    let link = "gateway -> saboteur";
    for path in PARTIAL_PATHS {
        for _ in 0..2 {
            assert_eq!(breaker_state(&saboteur, link), "closed", "{path}");
            let response: Result<Response, _> = saboteur.get(path).try_send();
            assert!(
                response.is_err(),
                "{path} looks like an response: {response:?}"
            );
        }
        saboteur.call("/greet/me").problem(503, "cut-off");
        saboteur.admin().control_breaker("reset", link);
        saboteur.call("/greet/me").is(200);
    }
}

#[test]
fn a_component_detects_a_partial_response_and_the_breaker_opens() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    let link = "saboteur -> neighbour";
    let chain = |path: &str| {
        let path = path.replace('&', "%26");
        saboteur.call(&format!("/chain?url=http://neighbour.spin.internal{path}"))
    };
    for path in ["/partial?then=trap&length=30", "/partial?then=trap"] {
        for _ in 0..2 {
            assert_eq!(breaker_state(&saboteur, link), "closed", "{path}");
            chain(path).is(500);
            saboteur
                .admin()
                .control_breaker("reset", "gateway -> saboteur");
        }
        assert_eq!(breaker_state(&saboteur, link), "open", "{path}");
        saboteur.admin().control_breaker("reset", link);
        assert!(chain("/greet/you").is(200).text().ends_with("hello you"));
    }
}

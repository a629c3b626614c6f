//! Who says 200 and then keeps the rest to himself has not answered: his caller hears so, and his breaker counts it.

use harness::Response;
use serde_json::Value;

use crate::saboteur::Saboteur;

/// Two in a row are enough, on the link from outside and on the one to the neighbour.
const POLICY: &str = r#"[application.tool.socar.links.saboteur]
breaker = { consecutive_failures = 2, open = "1h" }

[component.saboteur.tool.socar.links.neighbour]
breaker = { consecutive_failures = 2, open = "1h" }"#;

/// A known length betrays a part; without one, the end of a part looks like any other.
const PARTIAL_PATHS: [&str; 4] = [
    "/half?then=trap&length=30",
    "/half?then=trap",
    "/half?then=stall&length=30",
    "/half?then=stall",
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
    for path in ["/half?then=trap&length=30", "/half?then=trap"] {
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

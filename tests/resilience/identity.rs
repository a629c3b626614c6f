//! Whom does a component see as the principal of a request? Only the host says it, and it says it of every call.

use harness::local_token;
use http::Method;

use super::saboteur::Saboteur;

/// The values of the principal's header in an echoed request.
fn principals(echo: &str) -> Vec<&str> {
    let lines = echo.lines();
    lines
        .filter_map(|line| line.strip_prefix("socar-principal: "))
        .collect()
}

#[test]
fn a_component_gets_the_principal_of_the_token_and_no_other() {
    let saboteur = Saboteur::start(&["--identity", "local"]);
    let token = local_token(saboteur.state_dir(), "customer", "alice");
    let send = |path: &str| {
        let request = saboteur.request(Method::GET, path);
        let request = request.header("authorization", &format!("Bearer {token}"));
        // Forged, twice.
        let request = request.header("socar-principal", "operator mallory");
        request
            .header("Socar-Principal", "platform")
            .send()
            .is(200)
            .text()
    };
    assert_eq!(principals(&send("/echo")), ["customer alice"]);
    // A component that sends every header on, the forged ones included, and one that sends none.
    let neighbour = "http://neighbour.spin.internal/echo";
    assert_eq!(
        principals(&send(&format!("/relay?url={neighbour}"))),
        ["customer alice"]
    );
    assert_eq!(
        principals(&send(&format!("/chain?url={neighbour}"))),
        ["customer alice"]
    );
    saboteur
        .request(Method::GET, "/echo")
        .send()
        .problem(401, "token-required");
    // A static response is part of the manifest, and no component.
    saboteur.request(Method::GET, "/static").send().is(200);
}

#[test]
fn an_open_platform_has_no_principal() {
    let saboteur = Saboteur::shared();
    let forged = saboteur.request(Method::GET, "/echo");
    let forged = forged.header("socar-principal", "operator mallory").send();
    assert!(principals(&forged.text()).is_empty(), "{forged}");
}

//! What the relay sends, and how it reads the answers.

use super::*;

fn answer(status: u16, outcome: Option<&str>) -> Answer {
    let mut headers = HeaderMap::from_iter([
        (header::RETRY_AFTER, "20".parse().unwrap()),
        (
            header::CONTENT_TYPE,
            "application/problem+json".parse().unwrap(),
        ),
    ]);
    if let Some(outcome) = outcome {
        headers.insert(OUTCOME, outcome.parse().unwrap());
    }
    Answer {
        address: "http://cars".to_owned(),
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        detail: None,
    }
}

#[tokio::test]
async fn a_dead_letter_has_the_words_of_the_component() {
    let problem = r#"{"status":422,"detail":"the event has no subject"}"#;
    let detail = detail(full(problem)).await;
    let reason = |outcome| {
        let answer = Answer {
            detail: detail.clone(),
            ..answer(422, Some(outcome))
        };
        answer.about_event("car").unwrap_err().to_string()
    };
    for outcome in ["rejected", "failed"] {
        let reason = reason(outcome);
        assert!(
            reason.ends_with("422 Unprocessable Entity: the event has no subject"),
            "{reason}"
        );
    }
    for other in ["", "{}", "[]", r#"{"detail":7}"#] {
        assert_eq!(super::detail(full(other)).await, None, "{other}");
    }
    let endless = vec![b' '; MAX_PROBLEM + 1];
    assert_eq!(super::detail(full(endless)).await, None);
}

#[test]
fn only_an_answer_about_the_event_counts() {
    let outcome = |status, outcome| answer(status, Some(outcome)).about_event("car");
    assert!(matches!(outcome(204, "handled"), Ok(())));
    assert!(matches!(
        outcome(422, "rejected"),
        Err(HandlerError::Invalid(_))
    ));
    assert!(matches!(
        outcome(500, "failed"),
        Err(HandlerError::Failed(_))
    ));
    assert!(matches!(
        outcome(503, "unavailable"),
        Err(HandlerError::Unavailable { .. })
    ));
}

#[test]
fn the_answer_of_a_proxy_says_nothing_about_the_event() {
    for status in (200..600).filter(|status| StatusCode::from_u16(*status).is_ok()) {
        for name in [None, Some(""), Some("Handled"), Some("handled, handled")] {
            let waits = matches!(
                answer(status, name).about_event("car"),
                Err(HandlerError::Unavailable { retry_after, .. })
                    if retry_after == Some(Duration::from_secs(20))
            );
            assert!(waits, "{status} {name:?}");
        }
    }
}

#[test]
fn an_address_is_that_of_a_component_of_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("spin.toml");
    let text = "spin_manifest_version = 2\napplication.name = \"shop\"\n\
        [[trigger.http]]\nroute = \"/messages/...\"\ncomponent = \"message\"\n\
        [[trigger.http]]\nroute = \"/cars/...\"\ncomponent = \"car\"\n\
        [component.message]\nsource = \"message.wasm\"\n\
        [component.car]\nsource = \"car.wasm\"\n";
    std::fs::write(&manifest, text).unwrap();
    let app = App::load(&manifest, &Overrides::default()).unwrap();
    let addresses = |to_component: &str| {
        let options = RelayOptions {
            from: manifest.clone(),
            redis_url: String::new(),
            to: "http://shop".to_owned(),
            to_component: vec![to_component.to_owned()],
            secret: String::new(),
            deadline: 10,
        };
        addresses(&app, &options)
    };
    let right = addresses("message=http://post:81/").unwrap();
    assert_eq!(right["message"], "http://post:81/messages");
    assert_eq!(right["car"], "http://shop/cars");
    let error = addresses("mesage=http://post:81").unwrap_err().to_string();
    assert_eq!(
        error,
        "--to-component mesage: no component with this id has an HTTP route; known here: car, message"
    );
}

#[test]
fn the_url_of_a_deployment_has_no_credentials() {
    for url in ["http://user:hunter2@cars", "https://hunter2@cars/path"] {
        let error = check_base(url).unwrap_err().to_string();
        assert!(
            error.contains("credentials in the URL are not sent"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
    for url in ["cars:80", "ftp://cars", "/cars"] {
        assert!(check_base(url).is_err(), "{url}");
    }
    for url in ["http://127.0.0.1:3000", "https://cars.example/api"] {
        assert!(check_base(url).is_ok(), "{url}");
    }
}

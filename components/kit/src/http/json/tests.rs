use super::*;
use bytes::Bytes;
use random_inputs::{edited, edits, fragments};
use serde_json::json;

fn sent(body: &'static str) -> Request {
    Request::new(Bytes::from_static(body.as_bytes()))
}

fn document(problem: Problem) -> Value {
    let response = problem.into_response("/things");
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn every_wrong_and_unknown_field_is_named() {
    let request = sent(r#"{"name":"","amount":-1,"colour":"red","id":3}"#);
    let mut fields = Fields::from_request(&request).unwrap();
    assert_eq!(fields.text("name", 1, 5), None);
    assert_eq!(fields.number("amount", 0, 9), None);
    fields.read_only("id", &json!(2), "is given by the platform");
    let problem = document(fields.finish().unwrap_err());
    let named: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["name", "amount", "id", "colour"]);
    assert_eq!(problem["field"], "name");
}

#[test]
fn a_body_of_another_media_type_is_unsupported() {
    let status = |media_type: Option<&str>, text: &'static str| {
        let mut request = sent(text);
        if let Some(media_type) = media_type {
            request
                .headers_mut()
                .insert("content-type", media_type.parse().unwrap());
        }
        Fields::from_request(&request).map_or_else(|problem| problem.status.as_u16(), |_| 200)
    };
    assert_eq!(status(Some("application/json; charset=utf-8"), "{}"), 200);
    assert_eq!(status(Some("application/hal+json"), "{}"), 200);
    assert_eq!(status(None, "{}"), 200);
    assert_eq!(status(Some("application/merge-patch+json"), "{}"), 200);
    assert_eq!(status(Some("application/prs.hal-forms+json"), "{}"), 200);
    assert_eq!(status(Some("Application/LD+JSON"), "{}"), 200);
    assert_eq!(status(Some("image/x+json"), "{}"), 415);
    assert_eq!(status(Some("text/plain"), "{}"), 415);
    // A JSON Patch is an array of operations, never an object of fields.
    assert_eq!(status(Some("application/json-patch+json"), "{}"), 415);
    assert_eq!(status(Some("application/json"), "{"), 400);
    assert_eq!(status(Some("application/json"), "[]"), 400);
    for media_types in [
        ["application/json", "text/plain"],
        ["text/plain", "application/json"],
    ] {
        let mut request = sent("{}");
        for media_type in media_types {
            let media_type = media_type.parse().unwrap();
            request.headers_mut().append("content-type", media_type);
        }
        let problem = Fields::from_request(&request).unwrap_err();
        assert_eq!(problem.status.as_u16(), 415, "{media_types:?}");
    }
}

#[test]
fn json_that_is_no_object_is_malformed() {
    for body in ["[]", "null", "1", "\"car\"", " [{}] "] {
        let problem = document(Fields::from_request(&sent(body)).unwrap_err());
        assert_eq!(problem["status"], 400, "{body}");
        assert_eq!(problem["type"], "https://socar.dev/problems/malformed-json");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("is no JSON object"), "{detail}");
    }
}

/// JSON parsers differ in which of the two members they take.
#[test]
fn a_repeated_member_is_refused_by_its_name() {
    let problem = document(Fields::from_request(&sent(r#"{"id":1,"id":2}"#)).unwrap_err());
    assert_eq!(problem["status"], 400);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`id`"), "{detail}");
}

#[test]
fn an_encoded_body_is_unsupported() {
    let status = |codings: &[&str]| {
        let mut request = sent("{}");
        for coding in codings {
            let coding = coding.parse().unwrap();
            request.headers_mut().append("content-encoding", coding);
        }
        Fields::from_request(&request).map_or_else(|problem| problem.status.as_u16(), |_| 200)
    };
    assert_eq!(status(&[]), 200);
    assert_eq!(status(&["identity"]), 200);
    assert_eq!(status(&["Identity"]), 200);
    assert_eq!(status(&["gzip"]), 415);
    assert_eq!(status(&["identity", "br"]), 415);
}

/// Reads one text of up to 5 characters.
fn text(body: &str) -> Option<String> {
    let request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
    Fields::from_request(&request).unwrap().text("name", 1, 5)
}

#[test]
fn a_text_is_normalized_before_it_is_measured() {
    let decomposed = "\u{1100}\u{1161}\u{11a8}".repeat(5);
    assert_eq!(
        text(&json!({"name": decomposed}).to_string()).unwrap(),
        "각각각각각"
    );
    assert_eq!(text(&json!({"name": "\u{202e}abc"}).to_string()), None);
    assert_eq!(text(&json!({"name": "\u{200b}"}).to_string()), None);
}

#[test]
fn a_whole_number_has_many_spellings() {
    for (sent, read) in [
        ("5", Some(5)),
        ("5.0", Some(5)),
        ("5e0", Some(5)),
        ("0.5e1", Some(5)),
        ("-0", Some(0)),
        ("-0.0", Some(0)),
        ("1e3", Some(1000)),
        ("5.5", None),
        ("-5", None),
        ("1e30", None),
        ("\"5\"", None),
    ] {
        let request = Request::new(Bytes::from(format!(r#"{{"n":{sent},"id":4.0}}"#)));
        let mut fields = Fields::from_request(&request).unwrap();
        assert_eq!(fields.number("n", 0, 5000), read, "{sent}");
        fields.read_only("id", &json!(4), "cannot be changed");
        assert_eq!(fields.finish().is_ok(), read.is_some(), "{sent}");
    }
}

#[test]
fn the_encoding_of_a_body_is_utf_8() {
    let read = |media_type: &str, body: &[u8]| {
        let mut request = Request::new(Bytes::copy_from_slice(body));
        let media_type = media_type.parse().unwrap();
        request.headers_mut().insert("content-type", media_type);
        Fields::from_request(&request).map(drop).map_err(document)
    };
    let json = "application/json";
    assert!(read(json, b"\xef\xbb\xbf{}").is_ok());
    assert!(read("application/json; charset=\"UTF-8\"", b"{}").is_ok());
    for charset in ["utf-16", "iso-8859-1", "x"] {
        let media_type = format!("application/json;charset={charset}");
        assert_eq!(
            read(&media_type, b"{}").unwrap_err()["status"],
            415,
            "{charset}"
        );
    }
    for body in [&b"{\"name\":\"caf\xe9\"}"[..], b"\xff\xfe{\0}\0"] {
        let problem = read(json, body).unwrap_err();
        assert_eq!(problem["status"], 400);
        assert!(problem["detail"].as_str().unwrap().contains("not UTF-8"));
    }
}

/// Whatever the body, the parser does not panic, and a problem always has a status of the client.
#[test]
fn any_body_is_read_or_refused() {
    let body = r#"{"a": "b", "e": 1.0e2, "nested": {"list": [true, null, -0, "\ud83d\ude97"]}}"#;
    let grammar = [
        "{", "}", "[", "]", "\"", ":", ",", "\"a\":", "\"e\":", "1e309", "-0", "\\u00", "\\ud83d",
        "null",
    ];
    let input = (edits(), fragments(grammar));
    bolero::check!()
        .with_generator(input)
        .for_each(|(edits, bytes)| {
            for body in [edited(body, edits).into_bytes(), bytes.clone()] {
                match Fields::from_request(&Request::new(Bytes::from(body))) {
                    Ok(mut fields) => {
                        fields.text("a", 0, 3);
                        fields.number("e", 0, u64::MAX);
                        let _ = fields.finish();
                    }
                    Err(problem) => assert!(problem.status.is_client_error()),
                }
            }
        });
}

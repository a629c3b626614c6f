use super::*;
use bytes::Bytes;
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
    assert_eq!(status(Some("application/json"), "[]"), 422);
}

#[test]
fn json_that_is_no_object_is_an_invalid_body() {
    for body in ["[]", "null", "1", "\"car\""] {
        let problem = document(Fields::from_request(&sent(body)).unwrap_err());
        assert_eq!(problem["status"], 422, "{body}");
        assert_eq!(problem["field"], "body", "{body}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("must be a JSON object"), "{detail}");
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

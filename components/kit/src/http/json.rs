//! JSON request bodies: objects whose every member is either read or named in the problem.

use super::{message::Request, problem::Problem};
use http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use std::fmt::{self, Formatter};

/// The members of a request's JSON object that are not read yet, and the errors found so far.
#[derive(Clone, Debug)]
pub struct Fields {
    members: Map<String, Value>,
    problem: Option<Problem>,
}

impl Fields {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 415 for another media type or an encoded body, 400 for malformed JSON or a repeated member, 422
    /// for JSON that is no object.
    pub fn from_request(request: &Request) -> Result<Self, Problem> {
        check_encoding(request.headers())?;
        match serde_json::from_slice(request.body()) {
            Ok(Members(members)) => Ok(Self {
                members,
                problem: None,
            }),
            Err(error) => Err(parse_problem(request.body(), &error)),
        }
    }

    /// Whether the object has this member, null included.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.members.contains_key(field)
    }

    /// Reads a text of `least` to `most` characters without control characters; `None` if it is absent
    /// or wrong.
    pub fn text(&mut self, field: &str, least: usize, most: usize) -> Option<String> {
        let value = match self.members.remove(field)? {
            Value::String(text) => Some(text.trim().to_owned()),
            _ => None,
        };
        let fits = |text: &String| {
            (least..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        let value = value.filter(fits);
        if value.is_none() {
            self.reject(
                field,
                format!("must be a text of {least} to {most} printable characters"),
            );
        }
        value
    }

    /// Reads a whole number from `least` to `most`; `None` if it is absent or wrong.
    pub fn number(&mut self, field: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.members.remove(field)?;
        let value = value
            .as_u64()
            .filter(|number| (least..=most).contains(number));
        if value.is_none() {
            self.reject(
                field,
                format!("must be a whole number from {least} to {most}"),
            );
        }
        value
    }

    /// Reads a read-only member: it is accepted if it repeats the current `value`, as a client does that
    /// sends back the representation it received. `why` says why another value is wrong.
    pub fn read_only(&mut self, field: &str, value: &Value, why: &str) {
        if self
            .members
            .remove(field)
            .is_some_and(|sent| sent != *value)
        {
            self.reject(field, why.to_owned());
        }
    }

    /// Ignores a member of the representation that is not part of the state.
    pub fn ignore(&mut self, field: &str) {
        self.members.remove(field);
    }

    /// Ignores the members that are null: many clients send null for every field that is not set.
    pub fn ignore_nulls(&mut self, fields: &[&str]) {
        for field in fields {
            if self.members.get(*field) == Some(&Value::Null) {
                self.members.shift_remove(*field);
            }
        }
    }

    /// Adds an error about a field.
    pub fn reject(&mut self, field: &str, message: impl Into<String>) {
        self.problem = Some(match self.problem.take() {
            Some(problem) => problem.field(field, message),
            None => Problem::invalid_field(field, message),
        });
    }

    /// Finishes the reading: every member is read, and no error was found.
    ///
    /// # Errors
    ///
    /// 422 that names every wrong and every unknown field.
    pub fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<String> = self.members.keys().cloned().collect();
        for field in unknown {
            self.reject(&field, "is not a field of this resource");
        }
        self.problem.map_or(Ok(()), Err)
    }
}

/// Checks the content encoding and the media type of a body.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let is_encoded =
        |coding: &http::HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if let Some(coding) = codings.find(|coding| is_encoded(coding)) {
        return Err(Problem::unsupported_coding(coding.to_str().unwrap_or("?")));
    }
    match headers.get(header::CONTENT_TYPE) {
        Some(media_type) if !is_json(media_type.to_str().unwrap_or("?")) => Err(
            Problem::unsupported_media_type(media_type.to_str().unwrap_or("?")),
        ),
        _ => Ok(()),
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    // The members of a JSON Patch are operations, not fields (RFC 6902).
    essence == "application/json"
        || essence.starts_with("application/")
            && essence.ends_with("+json")
            && essence != "application/json-patch+json"
}

/// The problem of a body that is no object.
fn parse_problem(body: &[u8], error: &serde_json::Error) -> Problem {
    match serde_json::from_slice(body) {
        Ok(Value::Object(_)) => Problem::malformed_json(error.to_string()),
        Ok(_) => Problem::invalid_field(
            "body",
            r#"must be a JSON object, such as {"field": "value"}"#,
        ),
        Err(error) => Problem::malformed_json(error.to_string()),
    }
}

/// The members of an object without repeated names. JSON parsers differ in which of two members with
/// the same name they take.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = object.next_entry::<String, Value>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
            members.insert(name, value);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests;

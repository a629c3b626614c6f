//! JSON request bodies: objects whose every member is either read or named in the problem.

use super::{message::Request, problem::Problem};
use crate::text::{is_printable, normalized};
use http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use std::fmt::{self, Formatter};

/// The byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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
    /// 415 for another media type or an encoded body, 400 for malformed JSON, a repeated member, and JSON that is no
    /// object.
    pub fn from_request(request: &Request) -> Result<Self, Problem> {
        check_encoding(request.headers())?;
        // A byte order mark may be ignored (RFC 8259, 8.1).
        let body = request.body().strip_prefix(BYTE_ORDER_MARK);
        let body = body.unwrap_or(request.body());
        match serde_json::from_slice(body) {
            Ok(Members(members)) => Ok(Self {
                members,
                problem: None,
            }),
            Err(error) => Err(parse_problem(body, &error)),
        }
    }

    /// Whether the object has this member, null included.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.members.contains_key(field)
    }

    /// Reads a printable text of `least` to `most` characters in normalisation form C; `None` if it is absent or
    /// wrong.
    pub fn text(&mut self, field: &str, least: usize, most: usize) -> Option<String> {
        let value = match self.members.remove(field)? {
            Value::String(text) => Some(normalized(text.trim())),
            _ => None,
        };
        let fits =
            |text: &String| (least..=most).contains(&text.chars().count()) && is_printable(text);
        let value = value.filter(fits);
        if value.is_none() {
            self.reject(
                field,
                format!("must be a text of {least} to {most} printable characters"),
            );
        }
        value
    }

    /// Reads a whole number from `least` to `most`, in any spelling; `None` if it is absent or wrong.
    pub fn number(&mut self, field: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.members.remove(field)?;
        let value = whole_number(&value).filter(|number| (least..=most).contains(number));
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
            .is_some_and(|sent| !is_same(&sent, value))
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

    /// Removes a member that is null, and returns whether there was one.
    pub fn take_null(&mut self, field: &str) -> bool {
        let is_null = self.members.get(field) == Some(&Value::Null);
        is_null && self.members.shift_remove(field).is_some()
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
    // Of two different types, another reader of the request may believe the other one.
    let media_types = headers.get_all(header::CONTENT_TYPE).iter();
    let mut media_types = media_types.map(|media_type| media_type.to_str().unwrap_or("?"));
    match media_types.find(|media_type| !is_json(media_type)) {
        Some(other) => Err(Problem::unsupported_media_type(other)),
        None => Ok(()),
    }
}

/// A number without a fraction is whole, whatever its spelling (RFC 8259, 6): 5, 5.0 and 5e0 are the same.
fn whole_number(value: &Value) -> Option<u64> {
    /// Up to here, every whole number has a floating-point number of its own.
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        let is_whole = number.fract() == 0.0 && (0.0..=MAX_EXACT).contains(&number);
        is_whole.then_some(number as u64)
    })
}

fn is_same(one: &Value, other: &Value) -> bool {
    let is_number = one.is_number() && other.is_number();
    one == other
        || is_number && whole_number(one).is_some() && whole_number(one) == whole_number(other)
}

fn is_json(media_type: &str) -> bool {
    let mut parameters = media_type.split(';').skip(1);
    if parameters.any(|parameter| !is_readable_charset(parameter)) {
        return false;
    }
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    // The members of a JSON Patch are operations, not fields (RFC 6902).
    essence == "application/json"
        || essence.starts_with("application/")
            && essence.ends_with("+json")
            && essence != "application/json-patch+json"
}

/// Whether a parameter of a media type names a character encoding that is read as UTF-8, or no encoding.
fn is_readable_charset(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            let value = value.trim().trim_matches('"');
            let known = ["utf-8", "utf8", "us-ascii"];
            known.iter().any(|known| known.eq_ignore_ascii_case(value))
        }
        _ => true,
    }
}

/// The problem of a body that is no object.
fn parse_problem(body: &[u8], error: &serde_json::Error) -> Problem {
    if let Err(error) = std::str::from_utf8(body) {
        let position = error.valid_up_to() + 1;
        return Problem::malformed_json(format!("the body is not UTF-8 from byte {position} on"));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(_)) => Problem::malformed_json(error.to_string()),
        Ok(_) => {
            Problem::malformed_json(r#"the body is no JSON object, such as {"field": "value"}"#)
        }
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

//! Bodies: JSON objects, whose every member is either understood or named in the refusal.

use super::{Problem, Request};
use http::header;
use serde_json::{Map, Value};

/// The members of a request's JSON object that nobody has looked at yet, and what is wrong so far.
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
    /// 415 for another media type, 400 for what is no JSON, 422 for JSON that is no object.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        if let Some(media_type) = request.headers().get(header::CONTENT_TYPE) {
            let media_type = media_type.to_str().unwrap_or("?");
            if !is_json(media_type) {
                return Err(Problem::unsupported_media_type(media_type));
            }
        }
        match serde_json::from_slice(request.body()) {
            Ok(Value::Object(members)) => Ok(Self {
                members,
                problem: None,
            }),
            Ok(_) => Err(Problem::invalid_field("", "the body must be a JSON object")),
            Err(error) => Err(Problem::malformed_json(error.to_string())),
        }
    }

    /// Whether the object has this member, be it null.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.members.contains_key(field)
    }

    /// A text of `least` to `most` characters; `None` when absent.
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
            self.refuse(
                field,
                format!("must be a text of {least} to {most} printable characters"),
            );
        }
        value
    }

    /// A whole number of `least` to `most`; `None` when absent.
    pub fn number(&mut self, field: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.members.remove(field)?;
        let value = value
            .as_u64()
            .filter(|number| (least..=most).contains(number));
        if value.is_none() {
            self.refuse(
                field,
                format!("must be a whole number from {least} to {most}"),
            );
        }
        value
    }

    /// Accepts a member that may only repeat what is so anyway, as a client does that sends back
    /// what it has read.
    pub fn fixed(&mut self, field: &str, value: &Value, why: &str) {
        if self
            .members
            .remove(field)
            .is_some_and(|sent| sent != *value)
        {
            self.refuse(field, why.to_owned());
        }
    }

    /// Passes over a member of the representation that is not state.
    pub fn ignore(&mut self, field: &str) {
        self.members.remove(field);
    }

    /// Refuses a field.
    pub fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.problem = Some(match self.problem.take() {
            Some(problem) => problem.field(field, message),
            None => Problem::invalid_field(field, message),
        });
    }

    /// Ends the reading: nothing may be left, nothing may be wrong.
    ///
    /// # Errors
    ///
    /// 422 naming every wrong and every unknown field.
    pub fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<String> = self.members.keys().cloned().collect();
        for field in unknown {
            self.refuse(&field, "is not a field of this resource");
        }
        self.problem.map_or(Ok(()), Err)
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

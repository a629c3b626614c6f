//! Functions that components export to each other: `hold: async func(origin: origin, …) -> result<hold, refusal>`.
//!
//! The host recognizes them by their form ([`form`]). It sets the `origin` of each call itself, and where a call has no
//! result it returns the case `unavailable` of the function's own error, so that the caller never traps.

pub mod form;

use std::fmt;
use std::time::Instant;

use wasmtime::component::Val;

use crate::call::Call;
use crate::dispatch_marker::DispatchMarker;
use crate::problem::Problem;
use form::{CORRELATION_ID, DEADLINE, EFFECT, MESSAGE, RETRY_AFTER, TRACEPARENT, UNAVAILABLE};

/// The name of an exported function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionName {
    /// The interface, such as `socar:car/holds@1.0.0`.
    pub interface: String,
    /// The function, such as `hold`.
    pub function: String,
}

/// A call of a function.
pub struct FunctionRequest {
    /// The function of the callee.
    pub name: FunctionName,
    /// The arguments. The first one is the origin.
    pub arguments: Vec<Val>,
    /// Set when an instance begins to execute the function.
    pub marker: DispatchMarker,
}

/// The result that a function returned: a [`Val::Result`].
#[derive(Clone, Debug)]
pub struct FunctionResponse(pub Val);

/// How a function ended, as far as the host understands its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionOutcome {
    /// The function succeeded.
    Done,
    /// The callee refused the call for a reason of its domain.
    Refused,
    /// Something that the callee needs is unavailable.
    Unavailable {
        /// Whether the callee says when a later call may succeed.
        has_retry_after: bool,
    },
}

/// What a failed call may have done in the callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing: the function was not executed.
    None,
    /// The function was executed in part or as a whole.
    Unknown,
    /// The function was executing when its deadline expired.
    TimedOut,
}

// === impl FunctionName ===

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.interface, self.function)
    }
}

// === impl FunctionRequest ===

impl FunctionRequest {
    /// Sets the origin from the call, whatever the caller wrote.
    pub fn set_origin(&mut self, call: &Call) {
        if let Some(origin) = self.arguments.first_mut() {
            *origin = origin_of(call);
        }
    }
}

// === impl FunctionResponse ===

impl FunctionResponse {
    /// The result for the caller when the call has none.
    pub fn unavailable(problem: &Problem, marker: &DispatchMarker) -> Self {
        let effect = match (marker.is_dispatched(), problem) {
            (false, _) => Effect::None,
            (true, Problem::DeadlineExceeded { .. }) => Effect::TimedOut,
            (true, _) => Effect::Unknown,
        };
        let unavailable = record([
            (MESSAGE, Val::String(message(problem))),
            (EFFECT, Val::Enum(effect.name().to_owned())),
            (RETRY_AFTER, option(problem.retry_after())),
        ]);
        let case = Val::Variant(UNAVAILABLE.to_owned(), Some(Box::new(unavailable)));
        Self(Val::Result(Err(Some(Box::new(case)))))
    }

    /// How the function ended.
    pub fn outcome(&self) -> FunctionOutcome {
        let Val::Result(Err(error)) = &self.0 else {
            return FunctionOutcome::Done;
        };
        match error.as_deref() {
            Some(Val::Variant(case, Some(unavailable))) if case == UNAVAILABLE => {
                FunctionOutcome::Unavailable {
                    has_retry_after: matches!(
                        field(unavailable, RETRY_AFTER),
                        Some(Val::Option(Some(_)))
                    ),
                }
            }
            _ => FunctionOutcome::Refused,
        }
    }
}

// === impl FunctionOutcome ===

impl FunctionOutcome {
    /// The label for the metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Refused => "refused",
            Self::Unavailable { .. } => "unavailable",
        }
    }
}

// === impl Effect ===

impl Effect {
    fn name(self) -> &'static str {
        let [none, unknown, timed_out] = form::EFFECTS;
        match self {
            Self::None => none,
            Self::Unknown => unknown,
            Self::TimedOut => timed_out,
        }
    }
}

fn message(problem: &Problem) -> String {
    match problem {
        Problem::NotFound => "no component serves this function".to_owned(),
        problem => problem.to_string(),
    }
}

fn origin_of(call: &Call) -> Val {
    let left = call.deadline.saturating_duration_since(Instant::now());
    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let traceparent = call.trace.parent.to_str().unwrap_or_default();
    record([
        (CORRELATION_ID, Val::String(call.trace.id().to_owned())),
        (TRACEPARENT, Val::String(traceparent.to_owned())),
        (DEADLINE, option(Some(left))),
    ])
}

fn record<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn option(number: Option<u64>) -> Val {
    Val::Option(number.map(|number| Box::new(Val::U64(number))))
}

fn field<'a>(record: &'a Val, name: &str) -> Option<&'a Val> {
    let Val::Record(fields) = record else {
        return None;
    };
    let mut fields = fields.iter();
    fields.find_map(|(field, value)| (field == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trace::Trace;

    fn late() -> Problem {
        Problem::DeadlineExceeded {
            component: "car".to_owned(),
        }
    }

    fn effect(problem: &Problem, is_dispatched: bool) -> String {
        let marker = DispatchMarker::default();
        if is_dispatched {
            marker.mark();
        }
        let FunctionResponse(Val::Result(Err(Some(error)))) =
            FunctionResponse::unavailable(problem, &marker)
        else {
            panic!("no error");
        };
        let Val::Variant(_, Some(unavailable)) = *error else {
            panic!("no case");
        };
        match field(&unavailable, EFFECT) {
            Some(Val::Enum(effect)) => effect.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_that_no_instance_executed_has_no_effect() {
        let trapped = Problem::ComponentTrapped {
            component: "car".to_owned(),
        };
        assert_eq!(effect(&late(), false), "none");
        assert_eq!(effect(&trapped, false), "none");
        assert_eq!(effect(&late(), true), "timed-out");
        assert_eq!(effect(&trapped, true), "unknown");
    }

    #[test]
    fn a_result_is_classified_by_its_cases() {
        let refused = Val::Variant("sold-out".to_owned(), None);
        let refused = Val::Result(Err(Some(Box::new(refused))));
        for (result, expected) in [
            (Val::Result(Ok(None)), FunctionOutcome::Done),
            (refused, FunctionOutcome::Refused),
        ] {
            assert_eq!(FunctionResponse(result).outcome(), expected);
        }
        let response = FunctionResponse::unavailable(&late(), &DispatchMarker::default());
        let expected = FunctionOutcome::Unavailable {
            has_retry_after: false,
        };
        assert_eq!(response.outcome(), expected);
        let problem = Problem::Overloaded {
            who: "car".to_owned(),
            retry_after: Duration::from_secs(1),
        };
        let response = FunctionResponse::unavailable(&problem, &DispatchMarker::default());
        let expected = FunctionOutcome::Unavailable {
            has_retry_after: true,
        };
        assert_eq!(response.outcome(), expected);
    }

    #[test]
    fn the_origin_is_that_of_the_call() {
        let forged = record([(CORRELATION_ID, Val::String("forged".to_owned()))]);
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(5));
        let mut request = FunctionRequest {
            name: FunctionName {
                interface: "socar:car/holds@1.0.0".to_owned(),
                function: "hold".to_owned(),
            },
            arguments: vec![forged],
            marker: DispatchMarker::default(),
        };
        request.set_origin(&call);
        let id = field(&request.arguments[0], CORRELATION_ID);
        assert!(matches!(id, Some(Val::String(id)) if id == call.trace.id()));
        let left = field(&request.arguments[0], DEADLINE);
        assert!(
            matches!(left, Some(Val::Option(Some(left))) if matches!(**left, Val::U64(1..=5000)))
        );
    }
}

//! The form of a function that the host guards.
//!
//! ```wit
//! record origin { correlation-id: string, traceparent: string, deadline: option<u64> }
//! enum effect { none, unknown, timed-out }
//! record unavailable { message: string, effect: effect, retry-after: option<u64> }
//! variant refusal { unavailable(unavailable), /* refusals of the domain */ }
//! name: async func(origin: origin, /* parameters */) -> result</* any type */, refusal>;
//! ```

use wasmtime::component::Type;
use wasmtime::component::types::{ComponentFunc, Record};

/// Fields of an origin.
pub(super) const CORRELATION_ID: &str = "correlation-id";
pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const DEADLINE: &str = "deadline";

/// The case of an error, and the fields of its record.
pub(super) const UNAVAILABLE: &str = "unavailable";
pub(super) const MESSAGE: &str = "message";
pub(super) const EFFECT: &str = "effect";
pub(super) const RETRY_AFTER: &str = "retry-after";

/// What a failed call may have done.
pub(super) const EFFECTS: [&str; 3] = ["none", "unknown", "timed-out"];

const ORIGIN: &str = "origin";

/// The name of a field, and the check of its type.
type ExpectedField = (&'static str, fn(&Type) -> bool);

/// Checks that a function has the form.
///
/// # Errors
/// The part that the function lacks.
pub fn check(function: &ComponentFunc) -> Result<(), &'static str> {
    if !function.async_() {
        return Err("is not an `async func`");
    }
    let mut parameters = function.params();
    if !parameters
        .next()
        .is_some_and(|(name, ty)| name == ORIGIN && is_origin(&ty))
    {
        return Err("has no first parameter `origin` of the type socar:calls/types `origin`");
    }
    let mut results = function.results();
    let result = match (results.next(), results.next()) {
        (Some(Type::Result(result)), None) => result,
        _ => return Err("does not return a `result`"),
    };
    if !result.err().is_some_and(|error| has_unavailable(&error)) {
        return Err(
            "has no error with a case `unavailable` of the type socar:calls/types `unavailable`",
        );
    }
    let types = function.params().map(|(_, ty)| ty);
    match types.chain(function.results()).all(|ty| is_value(&ty)) {
        true => Ok(()),
        false => Err("passes a resource, a stream or a future, which cannot leave its component"),
    }
}

fn is_origin(ty: &Type) -> bool {
    let Type::Record(origin) = ty else {
        return false;
    };
    has_fields(
        origin,
        [
            (CORRELATION_ID, |ty| matches!(ty, Type::String)),
            (TRACEPARENT, |ty| matches!(ty, Type::String)),
            (DEADLINE, is_optional_number),
        ],
    )
}

fn has_unavailable(error: &Type) -> bool {
    let Type::Variant(error) = error else {
        return false;
    };
    let mut cases = error.cases();
    let unavailable = cases.find(|case| case.name == UNAVAILABLE);
    let Some(Type::Record(unavailable)) = unavailable.and_then(|case| case.ty) else {
        return false;
    };
    has_fields(
        &unavailable,
        [
            (MESSAGE, |ty| matches!(ty, Type::String)),
            (EFFECT, is_effect),
            (RETRY_AFTER, is_optional_number),
        ],
    )
}

fn has_fields(record: &Record, expected: [ExpectedField; 3]) -> bool {
    let fields = record.fields();
    fields.len() == expected.len()
        && fields
            .zip(expected)
            .all(|(field, (name, has_type))| field.name == name && has_type(&field.ty))
}

fn is_optional_number(ty: &Type) -> bool {
    matches!(ty, Type::Option(number) if matches!(number.ty(), Type::U64))
}

fn is_effect(ty: &Type) -> bool {
    matches!(ty, Type::Enum(effect) if effect.names().eq(EFFECTS))
}

/// Whether every part of the type is copied from one component to the other.
fn is_value(ty: &Type) -> bool {
    match ty {
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
            false
        }
        Type::List(list) => is_value(&list.ty()),
        Type::FixedLengthList(list) => is_value(&list.ty()),
        Type::Map(map) => is_value(&map.key()) && is_value(&map.value()),
        Type::Option(option) => is_value(&option.ty()),
        Type::Record(record) => record.fields().all(|field| is_value(&field.ty)),
        Type::Tuple(tuple) => tuple.types().all(|ty| is_value(&ty)),
        Type::Variant(variant) => variant
            .cases()
            .filter_map(|case| case.ty)
            .all(|ty| is_value(&ty)),
        Type::Result(result) => [result.ok(), result.err()].iter().flatten().all(is_value),
        _ => true,
    }
}

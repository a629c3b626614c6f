//! Which traces are recorded. By default, what the caller says decides, and a trace that begins here is recorded.

use opentelemetry_sdk::trace::Sampler;

use super::Variables;

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

/// How the name of a sampler begins that follows the decision of the caller.
const PARENT_BASED: &str = "parentbased_";

/// Reads the sampler.
pub fn read(variables: &mut Variables<'_>) -> Sampler {
    let default = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
    let Some(name) = variables.get(SAMPLER) else {
        return default;
    };
    let (is_parent_based, root) = match name.strip_prefix(PARENT_BASED) {
        Some(root) => (true, root),
        None => (false, &*name),
    };
    let root = match root {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio(variables)),
        _ => {
            let remedy =
                "write always_on, always_off or traceidratio, or one of them after parentbased_";
            variables.ignore(SAMPLER, &name, remedy);
            return default;
        }
    };
    match is_parent_based {
        true => Sampler::ParentBased(Box::new(root)),
        false => root,
    }
}

fn ratio(variables: &mut Variables<'_>) -> f64 {
    const ALL: f64 = 1.0;
    let Some(text) = variables.get(ARGUMENT) else {
        return ALL;
    };
    match text.parse() {
        Ok(ratio) if (0.0..=ALL).contains(&ratio) => ratio,
        _ => {
            variables.ignore(ARGUMENT, &text, "write a number from 0 to 1");
            ALL
        }
    }
}

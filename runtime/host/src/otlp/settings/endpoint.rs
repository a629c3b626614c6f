//! The address of the collector.
//!
//! | Variable | `http/protobuf` | `grpc` |
//! |---|---|---|
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | as it is | scheme, host and port |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | with `v1/traces` at the end | scheme, host and port |
//! | neither | `http://localhost:4318/v1/traces` | `http://localhost:4317` |

use http::Uri;
use http::uri::PathAndQuery;

use super::{ExportProtocol, Variables, of_traces};
use config::without_credentials;

/// The path of the traces of a collector.
const HTTP_PATH: &str = "v1/traces";

/// The path of the method that exports traces.
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const DEFAULT_HTTP: &str = "http://localhost:4318";
const DEFAULT_GRPC: &str = "http://localhost:4317";

/// Reads the endpoint. Without a usable one nothing can be exported.
pub fn read(variables: &mut Variables<'_>, protocol: ExportProtocol) -> Option<Uri> {
    let [traces, general] = of_traces("OTEL_EXPORTER_OTLP_ENDPOINT");
    let default = match protocol {
        ExportProtocol::Http => DEFAULT_HTTP,
        ExportProtocol::Grpc => DEFAULT_GRPC,
    };
    let given = variables.first(&[&traces, &general]);
    let (name, text) = given.unwrap_or_else(|| (general.clone(), default.to_owned()));
    let found = match protocol {
        ExportProtocol::Http if name == general => {
            parse(&format!("{}/{HTTP_PATH}", text.trim_end_matches('/')))
        }
        ExportProtocol::Http => parse(&text),
        ExportProtocol::Grpc => grpc(variables, &text),
    };
    if found.is_none() {
        variables.warnings.push(format!(
            "no spans are exported: {name}={} is no address; write http://host:port, and put credentials into \
             OTEL_EXPORTER_OTLP_HEADERS",
            without_credentials(&text)
        ));
    }
    found
}

/// An address without a scheme is one with TLS, unless `OTEL_EXPORTER_OTLP_INSECURE` says otherwise.
fn grpc(variables: &Variables<'_>, text: &str) -> Option<Uri> {
    let insecure = variables.first(&of_traces("OTEL_EXPORTER_OTLP_INSECURE"));
    let is_insecure = insecure.is_some_and(|(_, it)| it.eq_ignore_ascii_case("true"));
    let scheme = if is_insecure { "http" } else { "https" };
    let uri = match text.contains("://") {
        true => parse(text),
        false => parse(&format!("{scheme}://{text}")),
    };
    let mut parts = uri?.into_parts();
    parts.path_and_query = Some(PathAndQuery::from_static(GRPC_PATH));
    Uri::from_parts(parts).ok()
}

fn parse(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    (is_http && !authority.contains('@')).then_some(uri)
}

//! What each variable means, and what is ignored.

use super::*;

const SERVICE: ServiceName<'_> = ServiceName {
    name: "socar",
    version: "0.1.0",
};

fn read(variables: &[(&str, &str)]) -> Requested {
    let environment = |wanted: &str| {
        let mut variables = variables.iter();
        let found = variables.find(|(name, _)| *name == wanted);
        found.map(|(_, value)| (*value).to_owned())
    };
    ExportSettings::read(&environment, SERVICE)
}

/// The settings, without a warning.
#[track_caller]
fn settings(variables: &[(&str, &str)]) -> ExportSettings {
    let Requested { settings, warnings } = read(variables);
    assert_eq!(warnings, [""; 0]);
    settings.expect("an exporter")
}

#[test]
fn spans_are_exported_if_an_endpoint_or_the_exporter_is_set() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/x");
    for (variables, expected) in [
        (&[][..], false),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], false),
        (&[endpoint], true),
        (&[of_traces], true),
        (&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")], false),
        (&[endpoint, ("OTEL_SDK_DISABLED", "false")], true),
        (&[endpoint, ("OTEL_TRACES_EXPORTER", "none")], false),
        (&[endpoint, ("OTEL_TRACES_EXPORTER", "otlp")], true),
        (&[("OTEL_TRACES_EXPORTER", "console, otlp")], true),
    ] {
        let Requested { settings, warnings } = read(variables);
        assert_eq!(settings.is_some(), expected, "{variables:?}");
        assert_eq!(warnings, [""; 0], "{variables:?}");
    }
}

#[test]
fn the_endpoint_depends_on_variable_and_protocol() {
    const GRPC: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let general = |value| ("OTEL_EXPORTER_OTLP_ENDPOINT", value);
    let of_traces = |value| ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value);
    let exporter = ("OTEL_TRACES_EXPORTER", "otlp");
    for (variables, expected) in [
        (&[exporter][..], "http://localhost:4318/v1/traces"),
        (&[general("http://c:4318")], "http://c:4318/v1/traces"),
        (&[general("https://c/otlp/")], "https://c/otlp/v1/traces"),
        (&[of_traces("http://c:4318/here")], "http://c:4318/here"),
        (
            &[general("http://a"), of_traces("http://b/x")],
            "http://b/x",
        ),
        (&[exporter, GRPC], &format!("http://localhost:4317{METHOD}")),
        (
            &[general("http://c:4317"), GRPC],
            &format!("http://c:4317{METHOD}"),
        ),
        (
            &[general("https://c/ignored"), GRPC],
            &format!("https://c{METHOD}"),
        ),
        (
            &[general("c:4317"), GRPC],
            &format!("https://c:4317{METHOD}"),
        ),
        (
            &[
                general("c:4317"),
                GRPC,
                ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
            ],
            &format!("http://c:4317{METHOD}"),
        ),
    ] {
        assert_eq!(
            settings(variables).endpoint.to_string(),
            expected,
            "{variables:?}"
        );
    }
}

#[test]
fn an_unusable_endpoint_exports_nothing_and_shows_no_credentials() {
    for endpoint in ["collector", "ftp://c", "http://user:hush@collector:4318"] {
        let Requested { settings, warnings } = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
        assert!(settings.is_none(), "{endpoint}");
        assert!(
            warnings[0].contains("no spans are exported"),
            "{warnings:?}"
        );
        assert!(!warnings[0].contains("hush"), "{warnings:?}");
    }
}

#[test]
fn headers_are_decoded_and_those_for_traces_take_precedence() {
    let settings = settings(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20hush, X-Tenant = a,",
        ),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-tenant=b"),
    ]);
    assert_eq!(settings.headers["authorization"], "Bearer hush");
    assert_eq!(settings.headers["x-tenant"], "b");
    assert!(!format!("{:?}", settings.headers).contains("hush"));
}

#[test]
fn a_malformed_header_is_ignored_and_never_shown() {
    let Requested { settings, warnings } = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hush,a b=hush,c=d"),
    ]);
    let headers = settings.expect("an exporter").headers;
    assert_eq!(headers.len(), 1, "{headers:?}");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(!warnings[0].contains("hush"), "{warnings:?}");
}

#[test]
fn a_value_that_makes_no_sense_is_ignored_with_a_remedy() {
    let Requested { settings, warnings } = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
        ("OTEL_SDK_DISABLED", "yes"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
    ]);
    let settings = settings.expect("an exporter");
    assert_eq!(settings.protocol, ExportProtocol::Http);
    assert_eq!(settings.request_timeout, DEFAULT_REQUEST_TIMEOUT);
    assert_eq!(
        (settings.queue, settings.delay),
        (DEFAULT_QUEUE, DEFAULT_DELAY)
    );
    assert_eq!(warnings.len(), 7, "{warnings:#?}");
    assert!(warnings.iter().all(|it| it.contains("is ignored: write ")));
}

#[test]
fn queue_batch_and_times_are_set() {
    let settings = settings(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "500"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1500"),
    ]);
    assert_eq!((settings.queue, settings.batch), (100, 100));
    assert_eq!(settings.batch_timeout, Duration::from_secs(2));
    assert_eq!(settings.request_timeout, Duration::from_millis(1500));
}

#[test]
fn the_sampler_is_that_of_the_variables() {
    for (name, argument, expected) in [
        ("", "", "ParentBased(AlwaysOn)"),
        ("always_off", "", "AlwaysOff"),
        ("parentbased_always_off", "", "ParentBased(AlwaysOff)"),
        ("traceidratio", "0.25", "TraceIdRatioBased(0.25)"),
        (
            "parentbased_traceidratio",
            "0.5",
            "ParentBased(TraceIdRatioBased(0.5))",
        ),
        ("traceidratio", "", "TraceIdRatioBased(1.0)"),
    ] {
        let settings = settings(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
            ("OTEL_TRACES_SAMPLER", name),
            ("OTEL_TRACES_SAMPLER_ARG", argument),
        ]);
        assert_eq!(format!("{:?}", settings.sampler), expected, "{name}");
    }
}

#[test]
fn the_environment_names_the_service() {
    let resource = |variables: &[(&str, &str)]| {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        let settings = settings(&[&[endpoint], variables].concat());
        let resource = opentelemetry_sdk::Resource::builder_empty();
        resource.with_attributes(settings.resource).build()
    };
    let name = |variables: &[(&str, &str)]| {
        let name = resource(variables).get(&"service.name".into());
        name.map(|name| name.to_string()).unwrap_or_default()
    };
    assert_eq!(name(&[]), "socar");
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,zone=west%20one");
    assert_eq!(name(&[attributes]), "a");
    assert_eq!(name(&[attributes, ("OTEL_SERVICE_NAME", "b")]), "b");
    let zone = resource(&[attributes]).get(&"zone".into());
    assert_eq!(
        zone.map(|zone| zone.to_string()).as_deref(),
        Some("west one")
    );
}

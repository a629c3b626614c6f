//! The schemas of what the contexts send and take.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The members of each resource, by the name of its schema.
pub fn resources() -> Vec<(&'static str, Value)> {
    let mut car = plain(car::http::schema(generator()));
    // The members come from one flattened struct, which only a deleted car lacks; a deleted car is not sent.
    car["required"] = json!(["carId", "carName", "carType", "amount", "status"]);
    vec![
        ("Car", car),
        ("Reservation", plain(reservation::http::schema(generator()))),
        ("Payment", plain(payment::http::schema(generator()))),
        ("Message", plain(message::http::schema(generator()))),
        ("CarView", plain(viewpage::http::schema(generator()))),
    ]
}

/// The summary of the fleet.
pub fn summary() -> Value {
    let mut summary = plain(viewpage::http::summary_schema(generator()));
    let rows = json!({ "$ref": "#/components/schemas/CarView" });
    summary["properties"]["attention"]["items"] = rows;
    summary
}

/// The resource as it is sent: with its links.
pub fn with_links(mut resource: Value) -> Value {
    resource["properties"]["_links"] = json!({ "$ref": "#/components/schemas/Links" });
    if let Some(required) = resource["required"].as_array_mut() {
        required.push("_links".into());
    }
    resource
}

/// The data of each event, by type.
pub fn events() -> Vec<(String, Value)> {
    let event = plain(generator().into_root_schema_for::<::events::Event>());
    let variants = event["oneOf"].as_array().cloned().unwrap_or_default();
    let of_variant = |variant: Value| {
        let name = variant["properties"]["type"]["const"].as_str()?.to_owned();
        Some((name, variant["properties"]["data"].clone()))
    };
    variants.into_iter().filter_map(of_variant).collect()
}

/// The members of every event.
pub fn envelope() -> Map<String, Value> {
    let event = plain(generator().into_root_schema_for::<::events::CloudEvent>());
    let members = event["properties"].as_object().cloned();
    members.unwrap_or_default()
}

/// A page of a list whose rows are under `plural`.
pub fn page(plural: &str, resource: &str) -> Value {
    json!({
        "type": "object",
        "required": ["_embedded", "_links", "page"],
        "properties": {
            "_embedded": {
                "type": "object",
                "required": [plural],
                "properties": {
                    plural: { "type": "array", "items": { "$ref": format!("#/components/schemas/{resource}") } }
                }
            },
            "_links": { "$ref": "#/components/schemas/Links" },
            "page": { "$ref": "#/components/schemas/Page" }
        }
    })
}

/// A text that a resource takes: printable, of at most this length.
pub fn text(min: usize, description: &str) -> Value {
    json!({
        "type": "string",
        "minLength": min,
        "maxLength": car::domain::MAX_TEXT,
        "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$",
        "description": description
    })
}

fn generator() -> SchemaGenerator {
    let inline = |settings: &mut SchemaSettings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    };
    SchemaSettings::draft2020_12().with(inline).into_generator()
}

/// The schema without what only Rust means: the widths of numbers.
fn plain(schema: schemars::Schema) -> Value {
    let mut value = schema.to_value();
    strip(&mut value);
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("format").is_some_and(|it| it == "uint64") {
                members.insert("format".to_owned(), "int64".into());
            }
            members.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        _ => {}
    }
}

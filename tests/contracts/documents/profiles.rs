//! ALPS profiles, one for each resource, as the clients of Spring Data REST read them.

use serde_json::{Value, json};

use super::operations;
use super::schemas::resources;

/// The path of each collection, and the name of its schema.
const COLLECTIONS: [(&str, &str); 5] = [
    ("cars", "Car"),
    ("reservations", "Reservation"),
    ("payments", "Payment"),
    ("messages", "Message"),
    ("carviews", "CarView"),
];

/// The entry point, the list of profiles, and each profile.
pub fn documents() -> Vec<(String, Value)> {
    let mut all = vec![
        ("root.json".to_owned(), entry_point()),
        ("profile.json".to_owned(), list_of_profiles()),
    ];
    all.extend(profiles());
    all
}

/// The links of `/`, with the parameters of the lists. They are relative to the address of the client, as HAL allows: the
/// front end does not know the addresses of proxies.
fn entry_point() -> Value {
    let mut links = json!({});
    for (collection, _) in COLLECTIONS {
        let href = format!("/{collection}{{?page,size,sort}}");
        links[collection] = json!({ "href": href, "templated": true });
    }
    links["changes"] = json!({ "href": "/carviews/stream", "type": "text/event-stream" });
    links["service-desc"] = json!({ "href": "/openapi.json", "type": "application/json" });
    links["service-doc"] = json!({ "href": "/docs", "type": "text/html" });
    links["asyncapi"] = json!({ "href": "/asyncapi.json", "type": "application/json" });
    links["profile"] = json!({ "href": "/profile" });
    links["self"] = json!({ "href": "/" });
    json!({ "_links": links })
}

fn list_of_profiles() -> Value {
    let mut links = json!({ "self": { "href": "/profile" } });
    for (collection, _) in COLLECTIONS {
        links[collection] = json!({ "href": format!("/profile/{collection}") });
    }
    json!({ "_links": links })
}

fn profiles() -> Vec<(String, Value)> {
    let documents = COLLECTIONS.iter().map(|(collection, schema)| {
        let resources = resources();
        let (_, resource) = resources
            .iter()
            .find(|(name, _)| name == schema)
            .expect("a schema");
        (
            format!("profile-{collection}.json"),
            profile(collection, schema, resource),
        )
    });
    documents.collect()
}

fn profile(collection: &str, schema: &str, resource: &Value) -> Value {
    let representation = format!("{}-representation", schema.to_lowercase());
    let members = resource["properties"].as_object().into_iter().flatten();
    let members: Vec<Value> = members
        .map(|(name, member)| {
            let mut descriptor = json!({ "name": name, "type": "SEMANTIC" });
            if let Some(text) = member["description"].as_str() {
                descriptor["doc"] = json!({ "value": text, "format": "TEXT" });
            }
            descriptor
        })
        .collect();
    let mut descriptors = vec![json!({
        "id": representation,
        "href": format!("/profile/{collection}"),
        "descriptor": members
    })];
    let of_collection = |path: &str| path.split('/').nth(1) == Some(collection);
    for operation in operations::all().filter(|it| of_collection(it.path)) {
        let kind = match operation.method {
            "get" => "SAFE",
            "post" => "UNSAFE",
            _ => "IDEMPOTENT",
        };
        descriptors.push(json!({
            "id": operation.id,
            "name": collection,
            "type": kind,
            "doc": { "value": operation.summary, "format": "TEXT" },
            "rt": format!("#{representation}")
        }));
    }
    json!({ "alps": { "version": "1.0", "descriptor": descriptors } })
}

//! The content of the registry, and its right answers.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};

/// A request that is received completely.
#[derive(Debug)]
pub struct ReceivedCall {
    pub method: Method,
    pub path: String,
    query: String,
    pub authorization: Option<String>,
    media_type: Option<String>,
    body: Bytes,
}

/// Blobs and manifests of all applications.
#[derive(Debug, Default)]
pub struct Content {
    blobs: BTreeMap<String, Bytes>,
    /// The digest and media type, by the name of the application and the tag.
    tags: BTreeMap<(String, String), String>,
    manifests: BTreeMap<String, Bytes>,
}

// === impl ReceivedCall ===

impl ReceivedCall {
    pub fn new(head: &Parts, body: Bytes) -> Self {
        let header = |name| head.headers.get(name)?.to_str().ok().map(str::to_owned);
        Self {
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            authorization: header("authorization"),
            media_type: header("content-type"),
            body,
        }
    }

    /// The user and password of the request.
    pub fn basic(&self) -> Option<String> {
        let encoded = self.authorization.as_deref()?.strip_prefix("Basic ")?;
        String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
    }
}

// === impl Content ===

impl Content {
    pub fn put_blob(&mut self, blob: Bytes) -> String {
        let digest = oci::Digest::of(&blob).to_string();
        self.blobs.insert(digest.clone(), blob);
        digest
    }

    pub fn put_manifest(&mut self, name: &str, tag: &str, manifest: Bytes) -> String {
        let digest = oci::Digest::of(&manifest).to_string();
        let key = (name.to_owned(), tag.to_owned());
        self.tags.insert(key, digest.clone());
        self.manifests.insert(digest.clone(), manifest);
        digest
    }

    pub fn manifest(&self, name: &str, version: &str) -> Option<Bytes> {
        let key = (name.to_owned(), version.to_owned());
        let digest = self.tags.get(&key).map_or(version, String::as_str);
        self.manifests.get(digest).cloned()
    }

    pub fn blob(&self, digest: &str) -> Option<Bytes> {
        self.blobs.get(digest).cloned()
    }

    /// The answer of a registry that does what it should.
    pub fn answer(&mut self, call: &ReceivedCall) -> Response<Bytes> {
        let path = call.path.strip_prefix("/v2/").unwrap_or_default();
        if let Some((name, version)) = path.split_once("/manifests/") {
            return match call.method {
                Method::PUT => self.store_manifest(name, version, call),
                _ => found(self.manifest(name, version)),
            };
        }
        if let Some((name, upload)) = path.split_once("/blobs/uploads/") {
            return match call.method {
                Method::POST => {
                    let location = format!("/v2/{name}/blobs/uploads/1?state=secret");
                    answer(202, &[("location", &location)], Bytes::new())
                }
                Method::PUT if upload == "1" => self.store_blob(call),
                _ => answer(405, &[], Bytes::new()),
            };
        }
        match path.split_once("/blobs/") {
            Some((_, digest)) => found(self.blob(digest)),
            None => answer(404, &[], Bytes::new()),
        }
    }

    /// As a real registry, it stores only what has the digest that the client says.
    fn store_blob(&mut self, call: &ReceivedCall) -> Response<Bytes> {
        let mut pairs = call
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let claimed = pairs.find(|(name, _)| *name == "digest");
        let claimed = claimed.map(|(_, digest)| digest.replace("%3A", ":"));
        let is_binary = call.media_type.as_deref() == Some("application/octet-stream");
        if !is_binary || claimed.as_deref() != Some(oci::Digest::of(&call.body).as_str()) {
            return answer(400, &[], Bytes::new());
        }
        let digest = self.put_blob(call.body.clone());
        answer(201, &[("docker-content-digest", &digest)], Bytes::new())
    }

    fn store_manifest(&mut self, name: &str, tag: &str, call: &ReceivedCall) -> Response<Bytes> {
        let manifest: serde_json::Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let mut digests = layers
            .chain([&manifest["config"]])
            .map(|it| it["digest"].as_str());
        let is_known = |digest: Option<&str>| digest.is_some_and(|it| self.blobs.contains_key(it));
        if call.media_type.as_deref() != manifest["mediaType"].as_str() || !digests.all(is_known) {
            return answer(400, &[], Bytes::new());
        }
        let digest = self.put_manifest(name, tag, call.body.clone());
        answer(201, &[("docker-content-digest", &digest)], Bytes::new())
    }
}

fn found(content: Option<Bytes>) -> Response<Bytes> {
    match content {
        Some(content) => {
            let digest = oci::Digest::of(&content).to_string();
            answer(200, &[("docker-content-digest", &digest)], content)
        }
        None => answer(404, &[], Bytes::new()),
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: Bytes) -> Response<Bytes> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body).unwrap_or_default()
}

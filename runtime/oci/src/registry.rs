//! The requests of the OCI distribution protocol, each bounded, repeated and checked.

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use rustls::ClientConfig;
use serde::Deserialize;
use url::Url;

use crate::authorization::Authorization;
use crate::credentials::CredentialStore;
use crate::digest::{Digest, Hasher};
use crate::failure::{Failure, RequestLimits};
use crate::reference::Reference;
use crate::transport::{Cleartext, RegistryRequest, Transport, location, retry_after};

/// The media types that a client asks for; those of lists are there to be refused with their reason.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// The longest manifest, which is the bound that registries keep.
const MAX_MANIFEST: usize = 4 << 20;

/// The part of the answer to a failed request that is read.
const MAX_ERROR_ANSWER: usize = 64 << 10;

const CONTENT_DIGEST: &str = "docker-content-digest";

/// How a registry is reached.
pub struct RegistryAccess {
    /// The certificates that are trusted.
    pub tls: ClientConfig,
    /// Where credentials are looked for.
    pub credentials: CredentialStore,
    /// Whether a registry on this machine may be without TLS.
    pub insecure: bool,
    /// The bounds of every request.
    pub limits: RequestLimits,
}

/// A client of the registry that has one application.
pub struct Registry {
    name: String,
    /// The address of the application, which ends with a slash.
    base: Url,
    transport: Transport,
    authorization: Authorization,
    limits: RequestLimits,
}

/// The content of a failed answer.
#[derive(Deserialize)]
struct ErrorAnswer {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    code: String,
}

/// The codes of the specification. Any other text of a server is not shown: it might repeat what was sent.
const ERROR_CODES: [&str; 14] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
];

// === impl Registry ===

impl Registry {
    /// A client for one application. Nothing is sent yet.
    ///
    /// # Errors
    /// When TLS would be missing on the way to another machine.
    pub fn new(reference: &Reference, access: RegistryAccess) -> anyhow::Result<Self> {
        let is_local = reference.is_loopback();
        anyhow::ensure!(
            is_local || !access.insecure,
            "--insecure is for a registry on this machine, and {} is not: leave it out, since the network could read and change what is sent",
            reference.registry()
        );
        let (scheme, cleartext) = match access.insecure {
            true => ("http", Cleartext::Loopback),
            false => ("https", Cleartext::Denied),
        };
        let base = format!(
            "{scheme}://{}/v2/{}/",
            reference.host(),
            reference.repository()
        );
        Ok(Self {
            name: reference.registry().to_owned(),
            base: Url::parse(&base).with_context(|| format!("{reference} has no address"))?,
            transport: Transport::new(access.tls, cleartext, access.limits),
            authorization: Authorization::new(reference, access.credentials),
            limits: access.limits,
        })
    }

    /// The manifest of an application, with the digest of its bytes.
    ///
    /// # Errors
    /// When there is none, or it is not the one with the digest of the reference.
    pub async fn manifest(&self, reference: &Reference) -> anyhow::Result<(Bytes, Digest)> {
        let url = self.url(&format!("manifests/{}", reference.version()))?;
        let manifest = || async {
            let mut request = RegistryRequest::new(Method::GET, url.clone());
            let accepted = HeaderValue::from_static(MANIFEST_TYPES);
            request.headers.insert(ACCEPT, accepted);
            let response = self.send(request).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Err(Failure::permanent(format_args!(
                    "{} has no {reference} (404): check the name and the tag, or push it first",
                    self.name
                )));
            }
            let response = self.expect(response, StatusCode::OK, &url).await?;
            let claimed = content_digest(&response);
            let what = format!("the manifest of {reference}");
            let manifest = self.transport.read(response, MAX_MANIFEST, &what).await?;
            let digest = Digest::of(&manifest);
            for expected in [reference.digest(), claimed.as_ref()].into_iter().flatten() {
                check_digest(&self.name, &what, expected, &digest)?;
            }
            Ok((manifest, digest))
        };
        self.limits.retry(manifest).await
    }

    /// Receives a blob and passes it on in pieces. Each attempt begins with a new value of `begin`.
    ///
    /// # Errors
    /// When the registry has no such blob, or it has another length or digest.
    pub async fn blob<W: BlobSink>(
        &self,
        digest: &Digest,
        size: u64,
        begin: impl Fn() -> anyhow::Result<W>,
    ) -> anyhow::Result<W> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let what = format!("blob {digest} of {}", self.name);
        let receive = || async {
            let request = RegistryRequest::new(Method::GET, url.clone());
            let response = self.send(request).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Err(Failure::permanent(format_args!(
                    "{} has the manifest, but no {what} (404): push the application again",
                    self.name
                )));
            }
            let mut response = self.expect(response, StatusCode::OK, &url).await?;
            let (mut sink, mut hasher, mut length) = (begin()?, Hasher::default(), 0_u64);
            while let Some(piece) = self.transport.next_piece(&mut response, &what).await? {
                length += piece.len() as u64;
                if length > size {
                    return Err(Failure::permanent(format_args!(
                        "{what} is longer than the {size} bytes in the manifest: push the application again, and check the registry"
                    )));
                }
                hasher.update(&piece);
                sink.write(&piece)?;
            }
            if length < size {
                return Err(Failure::transient(
                    format_args!("{what} ended after {length} of {size} bytes"),
                    "try again, and check the registry and its proxies",
                ));
            }
            check_digest(&self.name, &what, digest, &hasher.finish())?;
            Ok(sink)
        };
        self.limits.retry(receive).await
    }

    /// Stores a blob, unless the registry has it. Returns whether it was sent.
    ///
    /// # Errors
    /// When the registry does not accept it.
    pub async fn put_blob(&self, digest: &Digest, content: &Bytes) -> anyhow::Result<bool> {
        let blob = self.url(&format!("blobs/{digest}"))?;
        let known = || self.send(RegistryRequest::new(Method::HEAD, blob.clone()));
        // A registry that cannot say so gets the blob.
        if self.limits.retry(known).await?.status() == StatusCode::OK {
            return Ok(false);
        }
        let begin = self.url("blobs/uploads/")?;
        let store = || async {
            let begun = self.send(RegistryRequest::new(Method::POST, begin.clone()));
            let begun = self
                .expect(begun.await?, StatusCode::ACCEPTED, &begin)
                .await?;
            let Some(mut upload) = location(&begin, begun.headers()) else {
                return Err(Failure::permanent(format_args!(
                    "{} accepts an upload and names no address for it: check the registry and its proxies",
                    self.name
                )));
            };
            upload
                .query_pairs_mut()
                .append_pair("digest", digest.as_str());
            let mut request = RegistryRequest::new(Method::PUT, upload.clone());
            request.body = content.clone();
            let binary = HeaderValue::from_static("application/octet-stream");
            request.headers.insert(CONTENT_TYPE, binary);
            let stored = self.send(request).await?;
            self.expect(stored, StatusCode::CREATED, &upload).await?;
            Ok(true)
        };
        self.limits.retry(store).await
    }

    /// Stores a manifest under the tag of the reference, whose blobs the registry has already.
    ///
    /// # Errors
    /// When the registry does not accept it, or has stored something else.
    pub async fn put_manifest(
        &self,
        reference: &Reference,
        media_type: &'static str,
        manifest: &Bytes,
    ) -> anyhow::Result<()> {
        let url = self.url(&format!("manifests/{}", reference.tag()))?;
        let digest = Digest::of(manifest);
        let store = || async {
            let mut request = RegistryRequest::new(Method::PUT, url.clone());
            request.body = manifest.clone();
            let media_type = HeaderValue::from_static(media_type);
            request.headers.insert(CONTENT_TYPE, media_type);
            let stored = self.send(request).await?;
            let stored = self.expect(stored, StatusCode::CREATED, &url).await?;
            match content_digest(&stored) {
                Some(found) => check_digest(&self.name, "the stored manifest", &digest, &found),
                None => Ok(()),
            }
        };
        self.limits.retry(store).await
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        // A path with a colon would be read as a URL of its own.
        let url = self.base.join(&format!("./{path}"));
        url.with_context(|| format!("{} has no address", self.name))
    }

    /// Sends a request, authorized if the registry asks for it.
    async fn send(&self, request: RegistryRequest) -> Result<Response<Incoming>, Failure> {
        let response = self.transport.send(self.authorized(&request)).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        // A token may have expired, or allow less than this request needs.
        let asked = self
            .authorization
            .answer(&self.transport, &request.method, response.headers());
        asked.await?;
        let response = self.transport.send(self.authorized(&request)).await?;
        match response.status() {
            StatusCode::UNAUTHORIZED => Err(self.authorization.refused()),
            _ => Ok(response),
        }
    }

    fn authorized(&self, request: &RegistryRequest) -> RegistryRequest {
        let mut request = request.clone();
        // An upload may lead to another host.
        if request.url.origin() == self.base.origin()
            && let Some(value) = self.authorization.value()
        {
            request.headers.insert(AUTHORIZATION, value);
        }
        request
    }

    /// The response, if it has this status.
    async fn expect(
        &self,
        response: Response<Incoming>,
        status: StatusCode,
        url: &Url,
    ) -> Result<Response<Incoming>, Failure> {
        let found = response.status();
        if found == status {
            return Ok(response);
        }
        let after = retry_after(response.headers());
        let answer = self.transport.read(response, MAX_ERROR_ANSWER, "an error");
        let code = answer.await.ok().and_then(|answer| error_code(&answer));
        let code = code.map(|code| format!(", {code}")).unwrap_or_default();
        let problem = format!("{} answers {found}{code} to {}", self.name, url.path());
        Err(match found.as_u16() {
            403 => Failure::permanent(format_args!(
                "{problem}: log in as a user who may do this, or correct the name"
            )),
            408 | 429 | 500 | 502 | 503 | 504 => {
                let remedy = "look at the log of the registry, and try again later";
                Failure::transient(problem, remedy).after(after)
            }
            _ => Failure::permanent(format_args!(
                "{problem}: check the name, the registry and its proxies"
            )),
        })
    }
}

/// What receives a blob.
pub trait BlobSink {
    /// Receives the next piece.
    ///
    /// # Errors
    /// When the piece cannot be kept.
    fn write(&mut self, piece: &[u8]) -> anyhow::Result<()>;
}

/// The digest that the registry claims.
fn content_digest(response: &Response<Incoming>) -> Option<Digest> {
    let claimed = response.headers().get(CONTENT_DIGEST)?.to_str().ok()?;
    Digest::parse(claimed).ok()
}

fn check_digest(
    registry: &str,
    what: &str,
    expected: &Digest,
    found: &Digest,
) -> Result<(), Failure> {
    match expected == found {
        true => Ok(()),
        false => Err(Failure::permanent(format_args!(
            "{registry}: {what} should have the digest {expected} and has {found}: it was changed on the way or in the registry; check both, and push the application again"
        ))),
    }
}

/// The code of the first error, if it is one of the specification.
fn error_code(answer: &[u8]) -> Option<&'static str> {
    let answer: ErrorAnswer = serde_json::from_slice(answer).ok()?;
    let first = answer.errors.first()?;
    ERROR_CODES.into_iter().find(|known| *known == first.code)
}

//! The files of the screen and of the documents of the API, and their entity tags.
//!
//! An entity tag is a hash of the content, computed at compile time: equal files have equal tags on every host and in
//! every release, and a request costs no hashing. The files of the screen are built and compressed beforehand.

mod screen;

use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};
use http_conventions::etag::fingerprint;

use crate::negotiation::weight;
use screen::SCREEN;

/// One file with its URL path.
pub(crate) struct Asset {
    path: &'static str,
    /// Whether it is a document of the API: pages of every origin may read it, as they may read the API, and its links
    /// follow the path prefix of a proxy.
    pub(crate) is_public: bool,
    /// Whether its path contains a hash of its content, so that the content at this path never changes.
    pub(crate) is_immutable: bool,
    pub(crate) media_type: &'static str,
    identity: Representation,
    brotli: Option<Representation>,
    gzip: Option<Representation>,
}

/// The content of a file in one encoding.
pub(crate) struct Representation {
    /// The value of `Content-Encoding`; `None` for the content as it is.
    pub(crate) encoding: Option<&'static str>,
    pub(crate) content: &'static [u8],
    fingerprint: u64,
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const HAL: &str = "application/hal+json";
const ALPS: &str = "application/alps+json";

/// `asset!("docs.js", SCRIPT)` is the file of that name in `assets/`, served under `/assets/`.
macro_rules! asset {
    ($name:literal, $media_type:expr) => {
        Asset::new(
            concat!("/assets/", $name),
            $media_type,
            include_bytes!(concat!("../assets/", $name)),
        )
    };
}

/// `document!("/openapi.json", "openapi.json", JSON)` is the file of that name in `assets/documents/`.
macro_rules! document {
    ($path:literal, $name:literal, $media_type:expr) => {
        Asset::public(
            $path,
            $media_type,
            include_bytes!(concat!("../assets/documents/", $name)),
        )
    };
}

/// `built!("/", "index.html", HTML)` is the file of that name in `assets/screen/`, with its compressed forms. The paths are
/// relative to the file of the table.
macro_rules! built {
    ($path:literal, $name:literal, $media_type:expr) => {
        Asset::compressed(
            $path,
            $media_type,
            include_bytes!(concat!("../../assets/screen/", $name)),
            include_bytes!(concat!("../../assets/screen/", $name, ".br")),
            include_bytes!(concat!("../../assets/screen/", $name, ".gz")),
        )
    };
}
use built;

/// The entry point of the API, at the path of the page.
static ENTRY_POINT: Asset = document!("/", "root.json", HAL);

static ASSETS: [Asset; 12] = [
    asset!("icon.svg", IMAGE),
    Asset::new("/docs", HTML, include_bytes!("../assets/docs.html")),
    asset!("docs.css", STYLE),
    asset!("docs.js", SCRIPT),
    document!("/openapi.json", "openapi.json", JSON),
    document!("/asyncapi.json", "asyncapi.json", JSON),
    document!("/profile", "profile.json", HAL),
    document!("/profile/cars", "profile-cars.json", ALPS),
    document!("/profile/reservations", "profile-reservations.json", ALPS),
    document!("/profile/payments", "profile-payments.json", ALPS),
    document!("/profile/messages", "profile-messages.json", ALPS),
    document!("/profile/carviews", "profile-carviews.json", ALPS),
];

// === impl Asset ===

impl Asset {
    /// The file at this path; `None` if there is none.
    pub(crate) fn at(path: &str) -> Option<&'static Self> {
        let mut assets = SCREEN.iter().chain(&ASSETS);
        assets.find(|asset| asset.path == path)
    }

    /// The entry point of the API.
    pub(crate) fn entry_point() -> &'static Self {
        &ENTRY_POINT
    }

    /// Whether the answer depends on `Accept-Encoding`.
    pub(crate) fn has_encodings(&self) -> bool {
        self.brotli.is_some() || self.gzip.is_some()
    }

    /// The representation that the client wants most; Brotli, which is smaller, before gzip.
    pub(crate) fn representation(&self, headers: &HeaderMap) -> &Representation {
        let wanted = |encoding: &str| weight(headers, &ACCEPT_ENCODING, &[encoding]);
        let (brotli, gzip) = (wanted("br"), wanted("gzip"));
        let compressed = match brotli >= gzip {
            true if brotli > 0.0 => self.brotli.as_ref(),
            false => self.gzip.as_ref(),
            true => None,
        };
        compressed.unwrap_or(&self.identity)
    }

    const fn new(path: &'static str, media_type: &'static str, content: &'static [u8]) -> Self {
        Self {
            path,
            is_public: false,
            is_immutable: false,
            media_type,
            identity: Representation::new(None, content),
            brotli: None,
            gzip: None,
        }
    }

    const fn public(path: &'static str, media_type: &'static str, content: &'static [u8]) -> Self {
        Self {
            is_public: true,
            ..Self::new(path, media_type, content)
        }
    }

    /// A file of the screen. Every name but that of the page itself contains a hash.
    const fn compressed(
        path: &'static str,
        media_type: &'static str,
        content: &'static [u8],
        brotli: &'static [u8],
        gzip: &'static [u8],
    ) -> Self {
        Self {
            is_immutable: path.len() > "/".len(),
            brotli: Some(Representation::new(Some("br"), brotli)),
            gzip: Some(Representation::new(Some("gzip"), gzip)),
            ..Self::new(path, media_type, content)
        }
    }
}

// === impl Representation ===

impl Representation {
    const fn new(encoding: Option<&'static str>, content: &'static [u8]) -> Self {
        Self {
            encoding,
            content,
            fingerprint: fingerprint(content),
        }
    }

    pub(crate) fn etag(&self) -> HeaderValue {
        etag(self.fingerprint)
    }
}

/// The strong entity tag of a content with this hash.
#[expect(
    clippy::expect_used,
    reason = "sixteen hexadecimal digits in quotes are always a header value"
)]
pub(crate) fn etag(fingerprint: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{fingerprint:016x}\""))
        .expect("an entity tag is visible ASCII")
}

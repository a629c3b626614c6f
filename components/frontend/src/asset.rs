//! The files of the screen and their entity tags.
//!
//! An entity tag is a hash of the content, computed at compile time: equal files have equal tags on every host and in
//! every release, and a request costs no hashing.

use http::HeaderValue;
use http_conventions::etag::fingerprint;

/// One file with its URL path.
pub(crate) struct Asset {
    path: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) content: &'static [u8],
    fingerprint: u64,
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// `asset!("app.js", SCRIPT)` is the file of that name in `assets/`, served under `/assets/`.
macro_rules! asset {
    ($name:literal, $media_type:expr) => {
        Asset::new(
            concat!("/assets/", $name),
            $media_type,
            include_bytes!(concat!("../assets/", $name)),
        )
    };
}

static ASSETS: [Asset; 13] = [
    Asset::new("/", HTML, include_bytes!("../assets/index.html")),
    asset!("style.css", STYLE),
    asset!("icon.svg", IMAGE),
    asset!("app.js", SCRIPT),
    asset!("api.js", SCRIPT),
    asset!("fleet.js", SCRIPT),
    asset!("row.js", SCRIPT),
    asset!("actions.js", SCRIPT),
    asset!("editor.js", SCRIPT),
    asset!("messages.js", SCRIPT),
    asset!("notices.js", SCRIPT),
    asset!("poller.js", SCRIPT),
    asset!("words.js", SCRIPT),
];

// === impl Asset ===

impl Asset {
    /// The file at this path; `None` if there is none.
    pub(crate) fn at(path: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.path == path)
    }

    /// A strong entity tag.
    #[expect(
        clippy::expect_used,
        reason = "sixteen hexadecimal digits in quotes are always a header value"
    )]
    pub(crate) fn etag(&self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{:016x}\"", self.fingerprint))
            .expect("an entity tag is visible ASCII")
    }

    const fn new(path: &'static str, media_type: &'static str, content: &'static [u8]) -> Self {
        Self {
            path,
            media_type,
            content,
            fingerprint: fingerprint(content),
        }
    }
}

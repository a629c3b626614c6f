//! The files of the screen. `npm run build` in `components/frontend/screen` writes this table: do not edit it.

use super::{Asset, HTML, SCRIPT, STYLE, TEXT, built};

pub(super) static SCREEN: [Asset; 5] = [
    built!(
        "/assets/index-C-O9OjFB.css",
        "assets/index-C-O9OjFB.css",
        STYLE
    ),
    built!(
        "/assets/licences-B1IsDUQO.txt",
        "assets/licences-B1IsDUQO.txt",
        TEXT
    ),
    built!(
        "/assets/operate-view-DN2RZqN4.js",
        "assets/operate-view-DN2RZqN4.js",
        SCRIPT
    ),
    built!(
        "/assets/screen-Y78dhWFq.js",
        "assets/screen-Y78dhWFq.js",
        SCRIPT
    ),
    built!("/", "index.html", HTML),
];

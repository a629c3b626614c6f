//! The files of the screen. `npm run build` in `components/frontend/screen` writes this table: do not edit it.

use super::{Asset, HTML, SCRIPT, STYLE, TEXT, built};

pub(super) static SCREEN: [Asset; 5] = [
    built!(
        "/assets/index-Dr5JblM9.css",
        "assets/index-Dr5JblM9.css",
        STYLE
    ),
    built!(
        "/assets/licences-B1IsDUQO.txt",
        "assets/licences-B1IsDUQO.txt",
        TEXT
    ),
    built!(
        "/assets/operate-view-CJMAucMv.js",
        "assets/operate-view-CJMAucMv.js",
        SCRIPT
    ),
    built!(
        "/assets/screen-H0LSHjze.js",
        "assets/screen-H0LSHjze.js",
        SCRIPT
    ),
    built!("/", "index.html", HTML),
];

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
        "/assets/operate-view-BCVJ0etd.js",
        "assets/operate-view-BCVJ0etd.js",
        SCRIPT
    ),
    built!(
        "/assets/screen-pi8V7ItW.js",
        "assets/screen-pi8V7ItW.js",
        SCRIPT
    ),
    built!("/", "index.html", HTML),
];

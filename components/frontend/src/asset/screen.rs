//! The files of the screen. `npm run build` in `components/frontend/screen` writes this table: do not edit it.

use super::{Asset, HTML, SCRIPT, STYLE, TEXT, built};

pub(super) static SCREEN: [Asset; 5] = [
    built!(
        "/assets/index-nrUSTSEN.css",
        "assets/index-nrUSTSEN.css",
        STYLE
    ),
    built!(
        "/assets/licences-B1IsDUQO.txt",
        "assets/licences-B1IsDUQO.txt",
        TEXT
    ),
    built!(
        "/assets/operate-view-B9UM1V_o.js",
        "assets/operate-view-B9UM1V_o.js",
        SCRIPT
    ),
    built!(
        "/assets/screen-Bv0MgjKY.js",
        "assets/screen-Bv0MgjKY.js",
        SCRIPT
    ),
    built!("/", "index.html", HTML),
];

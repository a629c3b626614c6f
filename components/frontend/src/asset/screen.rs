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
        "/assets/operate-view-DSHNFbVs.js",
        "assets/operate-view-DSHNFbVs.js",
        SCRIPT
    ),
    built!(
        "/assets/screen-DXioWrjK.js",
        "assets/screen-DXioWrjK.js",
        SCRIPT
    ),
    built!("/", "index.html", HTML),
];

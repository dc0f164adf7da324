//! The style sheet and the scripts, which are part of the binary.
//!
//! The address of an asset holds a digest of its content. So a browser may keep it for ever, and a page of a new
//! release never meets a script of the old one.

use std::sync::LazyLock;

use axum::{
    http::{HeaderName, header},
    routing::get,
};
use sha2::{Digest, Sha256};

use crate::routes::Router;

/// The address under which assets are.
const PATH: &str = "/admin/assets";
/// A year, which is what is taken for ever.
const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// A file that pages refer to.
pub(crate) struct Asset {
    stem: &'static str,
    extension: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

/// An asset and the address that it has in this build.
pub(crate) type Addressed = LazyLock<(Asset, String)>;

macro_rules! asset {
    ($(#[$doc:meta])* $name:ident, $stem:literal, $extension:literal, $content_type:literal) => {
        $(#[$doc])*
        pub(crate) static $name: Addressed = LazyLock::new(|| {
            addressed(Asset {
                stem: $stem,
                extension: $extension,
                content_type: $content_type,
                bytes: include_bytes!(concat!("../assets/", $stem, ".", $extension)),
            })
        });
    };
}

asset! {
    /// How everything looks.
    STYLE, "admin", "css", "text/css; charset=utf-8"
}
asset! {
    /// The mark in the tab.
    ICON, "icon", "svg", "image/svg+xml"
}
asset! {
    /// Follows links and sends forms without loading the whole page.
    SWAP, "swap", "js", "text/javascript; charset=utf-8"
}
asset! {
    /// Times in the zone of the viewer, menus and keys that work on every page.
    PAGE, "page", "js", "text/javascript; charset=utf-8"
}
asset! {
    /// Selecting and changing rows of the list, by mouse and by keyboard.
    LIST, "list", "js", "text/javascript; charset=utf-8"
}
asset! {
    /// Parts of a page that take longer than the page.
    LOAD, "load", "js", "text/javascript; charset=utf-8"
}
asset! {
    /// The command palette.
    PALETTE, "palette", "js", "text/javascript; charset=utf-8"
}
asset! {
    /// Rows of custom fields, and a word before what was typed is left behind.
    FORM, "form", "js", "text/javascript; charset=utf-8"
}
asset! {
    /// What others change while a page is open.
    LIVE, "live", "js", "text/javascript; charset=utf-8"
}

asset! {
    /// Files that are too long, and how far an import is.
    IMPORT, "import", "js", "text/javascript; charset=utf-8"
}

fn all() -> [&'static Addressed; 10] {
    [&STYLE, &ICON, &SWAP, &PAGE, &PALETTE, &LIST, &LOAD, &FORM, &LIVE, &IMPORT]
}

fn addressed(asset: Asset) -> (Asset, String) {
    let digest: [u8; 32] = Sha256::digest(asset.bytes).into();
    let digest = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
    let address = format!("{PATH}/{}.{digest:016x}.{}", asset.stem, asset.extension);
    (asset, address)
}

/// Where a page finds an asset.
pub(crate) fn url(asset: &'static Addressed) -> &'static str {
    &asset.1
}

/// The route of every asset.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    all().into_iter().fold(Router::new(), |router, addressed| {
        let (asset, address) = &**addressed;
        let headers: [(HeaderName, &str); 2] =
            [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, CACHE_CONTROL)];
        router.route(address, get(async move || (headers, asset.bytes)))
    })
}

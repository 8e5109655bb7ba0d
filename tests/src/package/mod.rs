//! The client package in a real browser, on a page that another server than the broker serves.

#[cfg(target_os = "linux")]
mod benchmark;
mod delivery;
mod errors;
mod example;
mod lifetime;
mod site;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::browser::{ConsoleLine, Page, browse};
use crate::hearth::{Hearth, HearthCommand};
use site::Site;

/// The folder that `cargo xtask package` makes.
pub fn folder() -> PathBuf {
    let folder = std::env::var_os("HEARTH_PACKAGE").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.join("index.js").is_file());
    folder.expect(
        "HEARTH_PACKAGE names the folder of the client package; `cargo xtask test` builds it and sets it",
    )
}

/// A broker that lets the pages of other servers in.
#[track_caller]
pub fn open_broker() -> Hearth {
    open_broker_on("127.0.0.1:0".parse().unwrap())
}

/// The same with WebSockets on this address.
#[track_caller]
fn open_broker_on(ws: SocketAddr) -> Hearth {
    HearthCommand::new()
        .args(["--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ws", &ws.to_string(), "--shards", "2"])
        .env("HEARTH_WS_ALLOWED_ORIGINS", "*")
        .env("HEARTH_HTTP_ALLOWED_ORIGINS", "*")
        .start()
}

/// A site with the package, the tests' page and whatever else.
pub fn site(more: Vec<(&'static str, PathBuf)>) -> Site {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    let folders = [("package", folder()), ("pages", pages)];
    Site::start(folders.into_iter().chain(more).collect())
}

/// A page with the package and the address of a broker, `url`, for scripts.
#[track_caller]
fn with_client(broker: SocketAddr, is_allowed: fn(&ConsoleLine) -> bool, visit: impl AsyncFnOnce(&Page)) {
    let site = site(Vec::new());
    let url = format!("ws://{broker}/mqtt");
    browse("en", is_allowed, async |page| {
        page.open(&site.url("pages/client.html")).await;
        page.wait_for("the package", "window.isReady === true").await;
        page.evaluate(&format!("window.url = {}", Value::from(url))).await;
        visit(page).await;
    });
}

/// The browser itself reports a WebSocket that cannot connect.
fn of_the_socket(line: &ConsoleLine) -> bool {
    line.text.contains("WebSocket connection to")
}

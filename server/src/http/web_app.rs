//! The files of the web app.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::accept_encoding::{Coding, choose};
use super::unknown_path::{self, plain_page};
use crate::assets::{FILES, File};

const INDEX: &str = "index.html";

/// Kept without asking again: the name changes with the content.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Asked for each time, answered by 304 when nothing changed.
pub(super) const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The web app of this build, if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct WebApp {
    /// Sorted by path.
    files: &'static [File],
}

impl WebApp {
    /// The one inside the binary.
    pub(super) fn embedded() -> Self {
        Self { files: FILES }
    }

    #[cfg(test)]
    pub(super) fn of(files: &'static [File]) -> Self {
        Self { files }
    }

    /// Answers a request for any path that nothing else answers.
    pub(super) fn answer(self, request: &Request) -> Response {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let sentence = "Files can only be read: ask with GET or HEAD.\n";
            return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")], sentence).into_response();
        }
        let path = request.uri().path();
        let name = path.strip_prefix('/').filter(|name| !name.is_empty()).unwrap_or(INDEX);
        let response = match self.files.binary_search_by(|file| file.path.cmp(name)) {
            Ok(index) => send(&self.files[index], request.headers()),
            Err(_) if name == INDEX => no_web_app(),
            Err(_) => unknown_path::answer(self.files, request.uri(), request.headers()),
        };
        if request.method() == Method::HEAD { without_body(response) } else { response }
    }
}

/// One file in the form that the client likes best.
fn send(file: &'static File, headers: &HeaderMap) -> Response {
    let content = |coding| match coding {
        Coding::Brotli => file.brotli,
        Coding::Gzip => file.gzip,
        Coding::Identity => Some(file.identity),
    };
    let coding = choose(headers, |coding| content(coding).is_some());
    let bytes = content(coding).unwrap_or(file.identity);
    // Each form is another sequence of bytes, so each has a tag of its own (RFC 9110, 8.8.3.3).
    let tag = match coding.name() {
        Some(name) => format!("\"{}-{name}\"", file.tag),
        None => format!("\"{}\"", file.tag),
    };
    let mut response = if is_known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(bytes));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        if let Some(name) = coding.name() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, if file.is_hashed { FOREVER } else { ASK_AGAIN });
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // The tag is hexadecimal, so that it is a header value for certain.
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Whether the client says that it has this very content (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn without_body(response: Response) -> Response {
    let (parts, _body) = response.into_parts();
    Response::from_parts(parts, Body::empty())
}

fn no_web_app() -> Response {
    let words = "<p>This build of Hearth has no web app inside; the broker runs all the same. \
                 <code>cargo xtask build</code> builds it with its web app, <code>cargo xtask run</code> starts that.</p>";
    plain_page(StatusCode::SERVICE_UNAVAILABLE, "No web app", words)
}

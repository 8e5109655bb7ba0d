//! What a path gets that nothing answers: a person sees a page of the app's looks or is led to the page meant, a program
//! gets a plain page.

use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::web_app::ASK_AGAIN;
use crate::assets::File;

/// Pages of the web app whose address goes on with a topic.
const PAGES_OF_TOPICS: [&str; 3] = ["topics", "publish", "chart"];

/// Pages of the web app whose address ends with their name.
const PAGES_ALONE: [&str; 4] = ["retained", "subscribe", "connections", "about"];

/// The beginnings of the names of style sheets that the page wears, in the order of the app.
const STYLES: [&str; 4] = ["tokens-", "base-", "layout-", "components-"];

/// The longest way up that a link is given, in levels: paths are as long as a stranger makes them.
const LEVELS_MAX: usize = 32;

/// Answers a request for a path that nothing else answers.
pub(super) fn answer(files: &[File], uri: &Uri, headers: &HeaderMap) -> Response {
    let home = home(uri.path());
    if !is_navigation(headers) {
        let words = format!("<p>Nothing is here. <a href=\"{home}\">Go to Hearth's first page.</a></p>");
        return told_apart(plain_page(StatusCode::NOT_FOUND, "Not found", &words));
    }
    let address = page_address(uri).and_then(|page| HeaderValue::from_str(&format!("{home}#/{page}")).ok());
    told_apart(match address {
        Some(address) => {
            (StatusCode::FOUND, [(LOCATION, address), (CACHE_CONTROL, ASK_AGAIN)]).into_response()
        }
        None => html(StatusCode::NOT_FOUND, missing_page(files, &home)),
    })
}

/// A small page without looks, for a build without a web app and for programs.
pub(super) fn plain_page(status: StatusCode, title: &str, words: &str) -> Response {
    html(
        status,
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>Hearth: {title}</title>\n<h1>{title}</h1>\n{words}\n</html>\n"
        ),
    )
}

/// The way from a path to the app's first page: relative, since a proxy may have put all of this below some path.
fn home(path: &str) -> String {
    match path.matches('/').count().saturating_sub(1) {
        0 => "./".to_owned(),
        levels => "../".repeat(levels.min(LEVELS_MAX)),
    }
}

/// Whether a person's browser asks for a page: programs and the parts of a page do not name HTML.
fn is_navigation(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}

/// The address behind the `#` of the page that a path names, with its query; `None` where it names none.
fn page_address(uri: &Uri) -> Option<&str> {
    let path = uri.path().strip_prefix('/')?;
    let (page, rest) = path.split_once('/').unwrap_or((path, ""));
    let is_page = PAGES_OF_TOPICS.contains(&page) || PAGES_ALONE.contains(&page) && rest.is_empty();
    let address = uri.path_and_query()?.as_str().strip_prefix('/')?;
    is_page.then_some(address)
}

/// The page in the looks of the app. All its names are ours: nothing of the request stands in it but the way up.
fn missing_page(files: &[File], home: &str) -> String {
    let root = || files.iter().filter(|file| !file.path.contains('/'));
    let styles: String = STYLES
        .iter()
        .filter_map(|name| root().find(|file| file.path.starts_with(name) && file.path.ends_with(".css")))
        .map(|file| format!("<link rel=\"stylesheet\" href=\"{home}{}\">\n", file.path))
        .collect();
    let icon = root().find(|file| file.path.starts_with("hearth-") && file.path.ends_with(".svg"));
    let (link, picture) = icon.map_or_else(Default::default, |file| {
        let name = file.path;
        (
            format!("<link rel=\"icon\" href=\"{home}{name}\">\n"),
            format!("<img src=\"{home}{name}\" alt=\"\" width=\"72\" height=\"72\">\n"),
        )
    });
    format!(
        "<!doctype html>\n<html lang=\"en\" data-theme=\"system\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1,viewport-fit=cover\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Hearth: There is no such page</title>\n{link}{styles}\
         </head>\n<body>\n<main class=\"loading\">\n{picture}<h1>There is no such page</h1>\n\
         <p class=\"loading__words\">The address may be mistyped, or be that of a page which is gone.</p>\n\
         <a class=\"button button--primary\" href=\"{home}\">Go to Hearth's first page</a>\n</main>\n</body>\n</html>\n"
    )
}

fn html(status: StatusCode, page: String) -> Response {
    let length = HeaderValue::from(page.len());
    let content_type = HeaderValue::from_static("text/html; charset=utf-8");
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, ASK_AGAIN), (CONTENT_LENGTH, length)];
    (status, headers, Body::from(page)).into_response()
}

/// Says to those who keep answers that a browser and a program get different ones.
fn told_apart(mut response: Response) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

//! Hearth's web app in the browser.

fn main() {}

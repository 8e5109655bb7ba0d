//! Hearth's web app.

fn main() {}

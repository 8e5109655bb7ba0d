//! `cargo xtask`: set-up and every chore.

fn main() {}

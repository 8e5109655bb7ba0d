//! The `hearth` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hearth::run(std::env::args_os(), std::env::vars_os())
}

//! Hearth with a rule broken, named by the variable `BROKEN_RULE`: to show that the crash harness notices.

use std::process::ExitCode;

use hearth::Fault;

fn main() -> ExitCode {
    let asked = std::env::var("BROKEN_RULE").unwrap_or_default();
    let Some((_, fault)) = Fault::ALL.iter().find(|(name, _)| *name == asked) else {
        return ExitCode::FAILURE;
    };
    fault.set();
    hearth::run(std::env::args_os(), std::env::vars_os())
}

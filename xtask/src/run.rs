//! The chore `run`: from a fresh checkout to a served page.

use std::ffi::OsString;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::server::{self, Profile};
use crate::step::{say, seconds};
use crate::workspace::Workspace;

/// Builds and starts Hearth. Returns only if it cannot start, or where a process cannot be replaced.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    let start = Instant::now();
    let program = server::build(workspace, Profile::Quick)?;
    say(&format!("everything is ready after {}; starting Hearth, Ctrl-C ends it", seconds(start.elapsed())));
    let mut hearth = Command::new(program);
    hearth.args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("XTASK_") {
            hearth.env_remove(name);
        }
    }
    become_the_server(hearth)
}

/// Turns this process into the server, so that Ctrl-C and every other signal reach it and nothing else. Its standard output
/// passes through a second xtask, which says where to point a browser once the server listens.
#[cfg(unix)]
fn become_the_server(mut hearth: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;

    use anyhow::Context;

    let (reader, writer) = std::io::pipe()?;
    let mut relay = Command::new(std::env::current_exe()?);
    // In a process group of its own it does not hear Ctrl-C, and so brings the server's last lines too.
    relay.arg(crate::relay::CHORE).stdin(reader).process_group(0);
    relay.spawn().context("cannot start the relay of the server's output")?;
    drop(relay);
    let error = hearth.stdout(writer).exec();
    Err(error).with_context(|| format!("cannot start `{}`", crate::process::shown(&hearth)))
}

#[cfg(not(unix))]
fn become_the_server(mut hearth: Command) -> Result<()> {
    crate::process::run_openly(&mut hearth)
}

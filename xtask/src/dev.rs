//! The chore `dev`: the server, and beside it the web app rebuilt and reloaded at every change.

use std::ffi::OsString;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::server::{self, Profile};
use crate::step::say;
use crate::web::WebTools;
use crate::workspace::Workspace;

/// How often the two programs are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs both until one ends; Ctrl-C reaches both, as they share this terminal.
pub(crate) fn dev(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    let web = WebTools::ensure(workspace)?;
    let program = server::build_server(workspace, Profile::Quick)?;
    let mut hearth = workspace.command(program);
    let mut trunk = web.trunk(workspace)?;
    // A folder of its own: what it makes is not what the server embeds.
    trunk.args(["serve", "--dist"]).arg(workspace.target.join("web/dev"));
    let mut server = start(hearth.args(arguments))?;
    say(
        "open http://localhost:8081 for the web app as it is being written; changes of the server need a new start",
    );
    let mut bundler = match start(&mut trunk) {
        Ok(bundler) => bundler,
        Err(error) => {
            end(&mut server)?;
            return Err(error);
        }
    };
    loop {
        if let Some(status) = server.try_wait()? {
            end(&mut bundler)?;
            bail!("the server ended ({status})");
        }
        if let Some(status) = bundler.try_wait()? {
            end(&mut server)?;
            bail!("trunk ended ({status})");
        }
        std::thread::sleep(LOOK);
    }
}

fn start(command: &mut Command) -> Result<Child> {
    command.spawn().with_context(|| format!("cannot start `{}`", crate::process::shown(command)))
}

fn end(child: &mut Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

//! Installing packages where apt-get is, and the sentence that says what to run where that cannot be done.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{run_limited, run_silently};
use crate::step::step;
use crate::workspace::find_program;

/// Longer than any package here takes on a slow line; a mirror that hangs must not hang a build for ever.
const APT_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Whether this system has apt-get.
pub(crate) fn has_apt() -> bool {
    find_program("apt-get").is_some()
}

/// Installs packages, removing none. `what` says in plain words what they are for.
pub(crate) fn install(packages: &[&str], what: &str) -> Result<()> {
    let list = packages.join(" ");
    if !has_apt() {
        bail!("{what} missing; install what Debian calls `{list}` and put its programs on the PATH");
    }
    if !is_root() {
        bail!("{what} missing; run `sudo apt-get install --yes {list}`, then this again");
    }
    step(&format!("installing the packages {list}"), || {
        run_limited(&mut apt(&["update", "-qq"]), Some(APT_LIMIT))?;
        let arguments = ["install", "-qq", "--yes", "--no-remove", "--no-install-recommends"];
        run_limited(apt(&arguments).args(packages), Some(APT_LIMIT))
            .with_context(|| format!("{what} missing, and apt-get does not install it"))?;
        Ok(())
    })
}

/// Fetches a package with those of its dependencies that the system lacks, and unpacks them all into one folder without
/// installing any: no service is started, and the system stays as it is.
pub(crate) fn unpack(package: &str, fetched: &Path, into: &Path) -> Result<()> {
    if !has_apt() || !is_root() {
        bail!("install what Debian calls `{package}`, and see that its service does not hold port 1883");
    }
    fs::create_dir_all(fetched.join("partial"))?;
    fs::create_dir_all(into)?;
    run_limited(&mut apt(&["update", "-qq"]), Some(APT_LIMIT))?;
    let mut download = apt(&["install", "-qq", "--yes", "--download-only", "--no-install-recommends"]);
    download.arg("-o").arg(format!("Dir::Cache::archives={}", fetched.display())).arg(package);
    run_limited(&mut download, Some(APT_LIMIT))?;
    for entry in fetched.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            run_silently(Command::new("dpkg-deb").arg("--extract").arg(&path).arg(into))?;
        }
    }
    Ok(())
}

/// Whether a package is installed.
pub(crate) fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${db:Status-Status}", package]);
    query.output().is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // The owner of a process's own folder in /proc is its effective user.
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

//! The benchmark `browser`: the web app in Chromium, with 100,000 topics and a load.

use std::ffi::OsString;

use anyhow::{Result, bail};

use crate::process::run_openly;
use crate::programs::{self, OF_THE_BROWSER};
use crate::server::{self, Profile};
use crate::web::WebTools;
use crate::workspace::Workspace;

/// The test of `tests/src/web_benchmark.rs`.
const TEST: &str = "web_benchmark::the_web_app_under_load";

/// What the page may show meanwhile; the words of the test.
const SHOWN: [&str; 3] = ["view", "everything", "stream"];

/// Measures; `rest` is for how many seconds, how many messages a second, how much slower the processor is made, and what is shown.
pub(crate) fn measure(workspace: &Workspace, rest: &[OsString]) -> Result<()> {
    let asked: Vec<String> = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let is_asked_well = asked.len() <= 4
        && asked.iter().take(3).all(|word| word.parse::<u64>().is_ok_and(|it| it > 0))
        && asked.get(3).is_none_or(|word| SHOWN.contains(&word.as_str()));
    if !is_asked_well {
        bail!(
            "`cargo xtask bench browser` takes how many seconds, how many messages a second, how many times slower the processor is to be, and which of {SHOWN:?} is shown, \
             as in `bench browser 60 20000 4 everything`, but was given {asked:?}"
        );
    }
    programs::ensure(OF_THE_BROWSER)?;
    WebTools::ensure(workspace)?.build(workspace)?;
    let hearth = server::build_server(workspace, Profile::Release)?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--locked", "--package", "hearth-tests", "--test", "system", "--"]);
    cargo.args([TEST, "--exact", "--nocapture", "--include-ignored"]);
    run_openly(cargo.env("HEARTH_BIN", hearth).env("HEARTH_BENCH_BROWSER", asked.join(",")))
}

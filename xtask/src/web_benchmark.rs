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

/// Measures; `rest` is for how many seconds, how many messages a second, and how much slower the processor is made.
pub(crate) fn measure(workspace: &Workspace, rest: &[OsString]) -> Result<()> {
    let is_number =
        |word: &OsString| word.to_str().is_some_and(|word| word.parse::<u64>().is_ok_and(|it| it > 0));
    if rest.len() > 3 || !rest.iter().all(is_number) {
        bail!(
            "`cargo xtask bench browser` takes how many seconds, how many messages a second and how many times slower the processor is to be, as in `bench browser 60 20000 4`, \
             but was given {rest:?}"
        );
    }
    programs::ensure(OF_THE_BROWSER)?;
    WebTools::ensure(workspace)?.build(workspace)?;
    let hearth = server::build_server(workspace, Profile::Release)?;
    let asked: Vec<String> = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--locked", "--package", "hearth-tests", "--test", "system", "--"]);
    cargo.args([TEST, "--exact", "--nocapture", "--include-ignored"]);
    run_openly(cargo.env("HEARTH_BIN", hearth).env("HEARTH_BENCH_BROWSER", asked.join(",")))
}

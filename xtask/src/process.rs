//! Running other programs, so that a failure is one sentence with the command and the end of its output.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write, stdout};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::step::say;

/// Lines of a failed program's output that are shown; an error's cause stands in the last few.
const TAIL_LINES: usize = 30;
/// How often a long silent program gets a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);
/// How often a program with a time limit is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| {
        let word = word.to_string_lossy();
        if word.is_empty() || word.contains([' ', '"', '\'', '*', '$']) {
            format!("{word:?}")
        } else {
            word.into()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Runs a program whose output is for the person to see.
pub(crate) fn run_openly(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed ({status}); its output is above", shown(command));
    }
    Ok(())
}

/// As `run_openly`, and `on_line` sees each line of standard output too; whether the program ended well.
pub(crate) fn run_watched(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let output = child.stdout.take().context("the output of a program cannot be read")?;
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        stdout().write_all(&line)?;
        on_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// Runs a program silently and gives its standard output.
pub(crate) fn run_silently(command: &mut Command) -> Result<String> {
    run_limited(command, None)
}

/// As `run_silently`; a program that takes longer than the limit is ended, which is a failure.
pub(crate) fn run_limited(command: &mut Command, limit: Option<Duration>) -> Result<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let tail = Arc::new(Mutex::new(VecDeque::new()));
    let stdout = child.stdout.take().map(|stream| collect(stream, Arc::clone(&tail)));
    let stderr = child.stderr.take().map(|stream| collect(stream, Arc::clone(&tail)));
    let Some(status) = wait(&mut child, limit)? else {
        bail!("`{}` did not end within {} s and was stopped{}", shown(command), whole(limit), told(&tail));
    };
    let text = join(stdout);
    join(stderr);
    if !status.success() {
        bail!("`{}` failed ({status}){}", shown(command), told(&tail));
    }
    Ok(text)
}

/// Waits for the end; `None` means that the limit passed and the program was killed.
fn wait(child: &mut Child, limit: Option<Duration>) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut next_sign = SIGN_OF_LIFE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let elapsed = start.elapsed();
        if limit.is_some_and(|limit| elapsed >= limit) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        if elapsed >= next_sign {
            say(&format!("… still at it after {} s", elapsed.as_secs()));
            next_sign += SIGN_OF_LIFE;
        }
        std::thread::sleep(LOOK);
    }
}

fn collect(stream: impl Read + Send + 'static, tail: Arc<Mutex<VecDeque<String>>>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut text = String::new();
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let shown = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            text.push_str(&shown);
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(shown);
        }
        text
    })
}

fn join(reader: Option<JoinHandle<String>>) -> String {
    reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
}

fn told(tail: &Mutex<VecDeque<String>>) -> String {
    let tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    if tail.is_empty() {
        return " without a word".to_owned();
    }
    let lines = tail.iter().map(|line| format!("\n    {}", line.trim_end()));
    format!("; the end of its output:{}", lines.collect::<String>())
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", shown(command))
}

fn whole(limit: Option<Duration>) -> u64 {
    limit.unwrap_or_default().as_secs()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_silent_program_gives_its_standard_output_alone() {
        let text = run_silently(&mut shell("echo said; echo complained >&2")).unwrap();
        assert_eq!(text, "said\n");
    }

    #[test]
    fn a_failure_names_the_command_the_status_and_the_end_of_the_output() {
        let error =
            run_silently(&mut shell("seq 1 50; echo why >&2; sleep 0.1; exit 3")).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("exit status: 3"), "{error}");
        assert!(error.contains("why") && error.contains("50") && !error.contains("\n    20\n"), "{error}");
    }

    #[test]
    fn a_program_over_its_limit_is_stopped() {
        let start = Instant::now();
        let error = run_limited(&mut shell("exec sleep 60"), Some(Duration::from_millis(200))).unwrap_err();
        assert!(error.to_string().contains("did not end within"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run_silently(&mut Command::new("hearth-no-such-program")).unwrap_err();
        assert!(format!("{error:#}").contains("cannot start `hearth-no-such-program`"), "{error:#}");
    }
}

//! The whole program, from settings to exit code.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::cli::{self, Invocation};
use crate::config::{Config, Machine};
use crate::server::{Server, StartError};
use crate::shutdown::{Signal, Signals};
use crate::{store_command, user_command};

/// The exit code when a second signal ends a stop that takes too long.
const EXIT_IMPATIENT: u8 = 1;

/// Does what the arguments (the first is the program's name) and the environment ask for.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    match cli::read(arguments, environment, &Machine::look()) {
        Ok(Invocation::Serve(config)) => run_broker(&config),
        Ok(Invocation::User(action, file)) => match user_command::run(&action, &file) {
            Ok(text) => print_all(&text),
            Err(error) => fail(&error, 1),
        },
        Ok(Invocation::Store(action, folder, users)) => match store_command::run(&action, &folder, &users) {
            Ok(text) => print_all(&text),
            Err(error) => fail(&error, 1),
        },
        Ok(Invocation::Print(text)) => print_all(&text),
        Err(refusal) => fail(&refusal, cli::EXIT_CODE),
    }
}

fn run_broker(config: &Config) -> ExitCode {
    start_log(&config.log);
    raise_open_files();
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(serve(config)));
    match outcome {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<StartError>() {
            Some(StartError::Bind(_) | StartError::Users(_) | StartError::Store(_)) => {
                fail(&error, cli::EXIT_CODE)
            }
            Some(StartError::Shards(_)) | None => fail(&error, 1),
        },
    }
}

fn print_all(text: &str) -> ExitCode {
    match print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(error: &dyn Display, code: u8) -> ExitCode {
    // If even this cannot be said, the exit code still says it.
    let _unheard = writeln!(io::stderr(), "hearth: {error}");
    ExitCode::from(code)
}

async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let server = Server::start(config).await?;
    announce(&server)?;
    while signals.next().await == Signal::Reload {
        server.reload();
    }
    tracing::info!("stopping");
    tokio::select! {
        () = server.stop() => Ok(ExitCode::SUCCESS),
        () = signals.stop() => {
            tracing::warn!("stopped at once by a second signal");
            Ok(ExitCode::from(EXIT_IMPATIENT))
        }
    }
}

/// One line a listener, on standard output: other programs wait for it.
fn announce(server: &Server) -> io::Result<()> {
    let mut lines = String::new();
    for listening in server.listening() {
        lines.push_str(&format!("listening {} {}\n", listening.kind, listening.address));
    }
    print(&lines)
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever reads this may have read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn start_log(filter: &str) {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(EnvFilter::new(filter));
    // Only a program that has Hearth inside could have set one before; that one stays.
    let _kept = subscriber.try_init();
}

/// Each connection is an open file, and the usual first bound of 1,024 is there for old programs only.
fn raise_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current != maximum
            && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        {
            tracing::warn!(%error, "the number of open files cannot be raised; connections are limited by it");
        }
    }
}

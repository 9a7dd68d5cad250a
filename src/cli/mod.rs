//! cli: the doors. Arguments become a checked order, a journey is run, and what came of it is shown and becomes an
//! exit code.

mod arguments;
mod bar;
mod demo;
mod init;
mod runbook;
mod show;
mod verbs;

use crate::{
    clock::{Clock, Timestamp},
    config::{self, World},
    failure::{Explain, Kind},
};
use arguments::{Arguments, Command, LogFormat};
use clap::Parser;
use std::{io::IsTerminal, process::ExitCode};
use tokio_util::sync::CancellationToken;

/// Parses the arguments, runs the command and gives the process's exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { Kind::Settings as u8 } else { 0 };
            // Help that nobody reads to its end is no failure.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    if let Command::Run | Command::Watch = arguments.command {
        begin_frugally();
    }
    let json = arguments.json;
    let started = start_log(&arguments).map_err(Failure::from).and_then(|()| start(arguments));
    match started {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            show::failure(&failure, json);
            ExitCode::from(failure.kind() as u8)
        }
    }
}

/// A daemon's memory stays flat for months only with few arenas: glibc gives nearly each thread one of its own, keeps
/// what each has ever held, and reads how many there may be when a program begins (mallopt(3), M_ARENA_MAX). So a daemon
/// begins a second time, as the same process, with that said. Whoever sets it has decided.
fn begin_frugally() {
    use std::os::unix::process::CommandExt;
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    if std::env::var_os(ARENAS).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Returns only if it cannot be done, and then there are more arenas.
    drop(again.args(arguments).env(ARENAS, "2").exec());
}

/// Anything that ends a command, ready to be shown.
#[derive(Debug)]
pub struct Failure(Box<dyn Explain + Send + Sync>);

impl<E: Explain + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl std::ops::Deref for Failure {
    type Target = dyn Explain + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// A failure of the door itself.
#[derive(Debug, thiserror::Error)]
enum DoorError {
    #[error("interrupted")]
    Interrupted,
    #[error("cannot begin: {0}")]
    Machine(#[from] std::io::Error),
    #[error("there is no journald to write to: {0}")]
    Journal(std::io::Error),
}

impl Explain for DoorError {
    fn kind(&self) -> Kind {
        match self {
            Self::Interrupted => Kind::Interrupted,
            Self::Machine(_) => Kind::Failed,
            Self::Journal(_) => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Interrupted => Some(
                "What was deposited and not sealed lapses by itself; a database being restored is incomplete.".into(),
            ),
            Self::Machine(_) => None,
            Self::Journal(_) => Some("Write the log as `--log text` or `--log json` here.".into()),
        }
    }
}

fn start(arguments: Arguments) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(DoorError::from)?;
    let ended = runtime.block_on(async {
        match arguments.command {
            // These end in good order by themselves.
            Command::Run | Command::Watch | Command::Backup(_) => run(arguments).await,
            _ => tokio::select! {
                ended = run(arguments) => ended,
                interrupted = interrupted() => Err(interrupted.into()),
            },
        }
    });
    // A thread that is still packing or writing is not waited for: nothing that it does can seal anything.
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}

const SHUTDOWN: std::time::Duration = std::time::Duration::from_secs(2);

async fn interrupted() -> DoorError {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => return error.into(),
    };
    tokio::select! {
        _ = interrupt.recv() => DoorError::Interrupted,
        _ = terminate.recv() => DoorError::Interrupted,
    }
}

async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let Arguments { config, json, command, .. } = arguments;
    let door = verbs::Door { clock: Clock::new(Timestamp::now), json };
    let plan = || config::load(&config, &world());
    match command {
        Command::Init(options) => {
            show::text(&init::run(&options, random(), std::io::stdin().is_terminal())?)?;
            Ok(0)
        }
        Command::Demo(options) => demo::run(&options, door.clock).await,
        Command::Check => door.check(plan()?).await,
        Command::Backup(options) => {
            let stop = CancellationToken::new();
            let stopping = stop.clone();
            tokio::spawn(async move {
                interrupted().await;
                stopping.cancel();
                // Who asks twice does not want to wait for a deposit.
                interrupted().await;
                std::process::exit(i32::from(Kind::Interrupted as u8));
            });
            door.backup(plan()?, &options, &stop).await
        }
        Command::Run => door.run(&config).await,
        Command::Watch => door.watch(&config).await,
        Command::Status => door.status(plan()?).await,
        Command::History(options) => door.history(plan()?, &options).await,
        Command::Accept(options) => door.accept(plan()?, &options).await,
        Command::List(options) => door.list(plan()?, &options).await,
        Command::Confirm(options) => door.confirm(plan()?, &options).await,
        Command::Show(options) => door.show(plan()?, &options).await,
        Command::Restore(options) => door.restore(plan()?, &options).await,
        Command::Drill(options) => door.drill(plan()?, &options).await,
        Command::Fetch(options) => door.fetch(plan()?, &options).await,
        Command::Runbook(options) => door.runbook(plan()?, &config, &options).await,
    }
}

/// What the door knows of the world, so that no room below asks for it.
fn world() -> World {
    World {
        credentials_directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(Into::into),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// A daemon says what it does; a command says what is wrong.
fn start_log(arguments: &Arguments) -> Result<(), DoorError> {
    use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};
    let default = match arguments.command {
        _ if arguments.verbose => "strongroom=debug",
        Command::Run | Command::Watch => "strongroom=info",
        _ => "strongroom=warn",
    };
    let filter = EnvFilter::try_from_env("STRONGROOM_LOG").unwrap_or_else(|_unset| default.into());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match arguments.log {
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.with_target(false).with_ansi(colours).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Journald => tracing_journald::layer().map_err(DoorError::Journal)?.with_field_prefix(None).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    Ok(())
}

//! How a step ended, in words that help.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// A step could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is no such program.
    #[error(
        "{}: there is no such program; correct the first entry of the command in the config (a name without '/' is sought in \
         PATH, a relative path from the working directory), or run `make` if it is gleaner-trainer", program.display()
    )]
    Missing {
        /// The first entry of the command.
        program: PathBuf,
    },
    /// The file is there, but what it asks to be run with is not.
    #[error(
        "{}: the file is there, but the interpreter that its first line names, or its loader, is not; install that",
        program.display()
    )]
    Interpreter {
        /// The first entry of the command.
        program: PathBuf,
    },
    /// The file is there and may not be executed.
    #[error(
        "{}: cannot be executed: {source}; make it executable (chmod +x), or name its interpreter first: \
         [python3, train.py]", program.display()
    )]
    NotExecutable {
        /// The first entry of the command.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The command is empty.
    #[error("there is no program to start; name one as the first entry of the command in the config")]
    Empty,
    /// Anything else, as too many processes.
    #[error("{}: cannot be started: {source}", program.display())]
    Other {
        /// The first entry of the command.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl LaunchError {
    pub(super) fn of(program: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            // The kernel says "not found" of the interpreter too; only a path with a '/' can be looked up here.
            io::ErrorKind::NotFound if program.components().count() > 1 && program.exists() => {
                Self::Interpreter { program }
            }
            io::ErrorKind::NotFound => Self::Missing { program },
            io::ErrorKind::PermissionDenied => Self::NotExecutable { program, source },
            _ => Self::Other { program, source },
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0. Whether the checkpoint stands is for the caller to see.
    Succeeded,
    /// It ended by itself and not well.
    Failed(Failure),
    /// It did not end in time and was ended.
    TimedOut {
        /// The time it had.
        after: Duration,
        /// Its last lines.
        tail: Vec<String>,
    },
    /// It was ended because [`RunningJob::stop`](super::RunningJob::stop) asked for it.
    Stopped,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody knows: the exit status could not be had from the operating system.
    Unknown,
}

impl Ending {
    pub(super) fn of(status: Option<ExitStatus>) -> Self {
        match status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => Self::Code(code),
            Some((None, Some(signal))) => Self::Signal(signal),
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "ended with exit code {code}"),
            Self::Signal(signal) => write!(formatter, "was ended by signal {signal}"),
            Self::Unknown => formatter.write_str("ended, and its exit status is unknown"),
        }
    }
}

/// A step that ended by itself and not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The program.
    pub program: PathBuf,
    /// How it ended.
    pub ending: Ending,
    /// Its last lines, about 20 at most, the newest last.
    pub tail: Vec<String>,
}

impl Failure {
    /// What a person may do about it, where the ending tells.
    pub fn remedy(&self) -> Option<&'static str> {
        const LOADER: &str = "error while loading shared libraries";
        const NOT_FOUND: i32 = 127;
        const NOT_EXECUTABLE: i32 = 126;
        const KILL: i32 = 9;
        match self.ending {
            _ if self.tail.iter().any(|line| line.contains(LOADER)) => {
                Some("a shared library is missing; for gleaner-trainer run `make`, which fetches libtorch")
            }
            Ending::Code(NOT_FOUND) => {
                Some("127 means that a program or a library was not found; for gleaner-trainer run `make`")
            }
            Ending::Code(NOT_EXECUTABLE) => {
                Some("126 means that a program was found but cannot be executed; see its rights")
            }
            Ending::Signal(KILL) => {
                Some("somebody killed it, most often the kernel for want of memory (see dmesg); lower train.batch")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the training step {} ", self.program.display())?;
        self.ending.fmt(formatter)?;
        if let Some(remedy) = self.remedy() {
            write!(formatter, "; {remedy}")?;
        }
        write_tail(formatter, &self.tail)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => formatter.write_str("the training step succeeded"),
            Self::Failed(failure) => failure.fmt(formatter),
            Self::TimedOut { after, tail } => {
                write!(
                    formatter,
                    "the training step did not end within {after:?} and was ended; raise trainer.timeout if it only \
                     needed longer"
                )?;
                write_tail(formatter, tail)
            }
            Self::Stopped => formatter.write_str("the training step was stopped"),
        }
    }
}

fn write_tail(formatter: &mut fmt::Formatter<'_>, tail: &[String]) -> fmt::Result {
    if tail.is_empty() {
        return formatter.write_str("; it printed nothing");
    }
    formatter.write_str("; its last lines:")?;
    tail.iter().try_for_each(|line| write!(formatter, "\n    {line}"))
}

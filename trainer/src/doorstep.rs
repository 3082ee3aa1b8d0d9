//! Finding libtorch, and becoming the engine.

use gleaner::libraries::{self, LibraryMissing};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const LOADER_VARIABLE: &str = "LD_LIBRARY_PATH";
const ENGINE: &str = "gleaner-trainer-engine";
/// Other libraries that the engine needs from the same folder, checked by name before the dynamic loader is asked.
const COMPANIONS: [&str; 2] = ["libc10.so", "libgomp.so.1"];
const REMEDY: &str = "run `make` in gleaner's source folder, or set GLEANER_LIBTORCH to the folder that holds \
                      libtorch 2.11.0's shared libraries";

/// What the engine's environment says unless the person says otherwise. All of it must stand there before it starts.
///
/// - Threads of a parallel loop spin for about a tenth of a millisecond while they wait, and then sleep. Left to themselves they
///   spin thirty times as long, and as soon as another program wants one of the cores each loop lasts until the scheduler has
///   been round; put to sleep at once, they have to be woken for every loop. Measured on 2 cores, images/s of the small network
///   alone and beside two busy programs: 5,859 and 2,146; spinning on 5,815 and 1,469, asleep at once 4,779 and 1,658.
/// - Freed memory is kept. A batch's activations are large blocks, which the C library would otherwise give back to the
///   system and fetch again, zeroed page by page, for every layer: measured, a quarter of the time.
const DEFAULTS: [(&str, &str); 3] =
    [(SPIN_COUNT, "10000"), ("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "17179869184")];
const SPIN_COUNT: &str = "GOMP_SPINCOUNT";
/// The standard's word on waiting threads, which a spin count would overrule.
const WAIT_POLICY: &str = "OMP_WAIT_POLICY";

/// Why the engine cannot be started.
#[derive(Debug)]
pub enum Problem {
    /// This program's own path is unknown, so that nothing can be looked up beside it.
    NoHome(io::Error),
    /// The engine does not stand beside this program.
    NoEngine(PathBuf),
    /// No folder holds libtorch.
    NoLibtorch(LibraryMissing),
    /// A folder holds libtorch, but not all that the engine loads.
    Incomplete { folder: PathBuf, missing: Vec<String> },
    /// The operating system refused to start the engine.
    Refused(PathBuf, io::Error),
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome(error) => write!(formatter, "cannot tell where this program stands: {error}"),
            Self::NoEngine(path) => write!(
                formatter,
                "{}: not found; it belongs beside gleaner-trainer: run `make` in gleaner's source folder",
                path.display()
            ),
            Self::NoLibtorch(missing) => missing.fmt(formatter),
            Self::Incomplete { folder, missing } => write!(
                formatter,
                "libtorch in {} is incomplete, it lacks {}; {REMEDY}",
                folder.display(),
                missing.join(" and ")
            ),
            Self::Refused(path, error) => write!(formatter, "{}: cannot be started: {error}", path.display()),
        }
    }
}

/// The engine and the library folder it runs with, both found.
#[derive(Debug)]
pub struct Engine {
    program: PathBuf,
    libraries: PathBuf,
}

/// Finds the engine and libtorch, and checks that the dynamic loader will find every library.
pub fn open() -> Result<Engine, Problem> {
    let home = env::current_exe().map_err(Problem::NoHome)?;
    let program = home.with_file_name(ENGINE);
    if !program.is_file() {
        return Err(Problem::NoEngine(program));
    }
    let landmark = libraries::find(libraries::LIBTORCH).map_err(Problem::NoLibtorch)?;
    let folder = landmark.parent().unwrap_or(Path::new("."));
    let libraries = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let engine = Engine { program, libraries };
    let mut missing: Vec<String> = COMPANIONS
        .iter()
        .filter(|name| !engine.libraries.join(name).is_file())
        .map(|name| (*name).to_owned())
        .collect();
    missing.extend(engine.unresolved().into_iter().filter(|name| !COMPANIONS.contains(&name.as_str())));
    if missing.is_empty() { Ok(engine) } else { Err(Problem::Incomplete { folder: engine.libraries, missing }) }
}

impl Engine {
    /// Replaces this process by the engine. Returns only if that fails.
    pub fn enter(&self, arguments: impl Iterator<Item = OsString>) -> Problem {
        let error = self.command().args(arguments).exec();
        Problem::Refused(self.program.clone(), error)
    }

    /// The libraries that the dynamic loader would not find.
    ///
    /// Which ones libtorch needs depends on how it was built (a build for CUDA needs libcudart even on a machine
    /// without a GPU), so the loader itself is asked: with this variable it lists what it would load and runs nothing.
    fn unresolved(&self) -> Vec<String> {
        let Ok(listing) = self.command().env("LD_TRACE_LOADED_OBJECTS", "1").output() else {
            return Vec::new();
        };
        String::from_utf8_lossy(&listing.stdout)
            .lines()
            .filter_map(|line| line.trim().strip_suffix("=> not found"))
            .map(|name| name.trim().to_owned())
            .collect()
    }

    fn command(&self) -> Command {
        let mut search = self.libraries.as_os_str().to_owned();
        if let Some(inherited) = env::var_os(LOADER_VARIABLE).filter(|inherited| !inherited.is_empty()) {
            search.push(OsStr::new(":"));
            search.push(inherited);
        }
        let mut command = Command::new(&self.program);
        command.env(LOADER_VARIABLE, search);
        let said = |name: &str| env::var_os(name).is_some();
        let overruled = |name: &str| name == SPIN_COUNT && said(WAIT_POLICY);
        command.envs(DEFAULTS.into_iter().filter(|(name, _)| !(said(name) || overruled(name))));
        command
    }
}

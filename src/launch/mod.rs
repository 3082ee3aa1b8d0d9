//! Starting a training step, ours or the user's, or a hook, and watching over it.
//!
//! A step is a child process in a process group of its own. It is told what to do through its arguments ([`expand`])
//! and the same values in its environment ([`Values::environment`]), its output is forwarded to the log, and when it
//! ends, hangs or is stopped, its whole group goes with it:
//!
//! ```no_run
//! # use gleaner::launch::{Job, Outcome, RunningJob};
//! # async fn step(mut job: Job) -> Result<(), gleaner::launch::LaunchError> {
//! job.timeout = Some(std::time::Duration::from_secs(3600));
//! let mut running = RunningJob::start(job)?;
//! match running.wait().await {
//!     Outcome::Succeeded => println!("the checkpoint should be there"),
//!     other => println!("{other}"),
//! }
//! # Ok(()) }
//! ```
//!
//! A process that leaves the group (`setsid`, `setpgid`) outlives a step that ends well. What a step that did not end well
//! has left running, or one whose service was killed, is found by its environment and ended ([`end_orphans`]).

mod backoff;
mod command;
mod job;
mod orphans;
mod outcome;
mod output;
mod owner;
mod progress;
mod report;
mod template;

pub use backoff::Backoff;
pub use command::{PLACEHOLDERS, Values, check};
pub use job::{Job, RunningJob};
pub use orphans::{OrphanError, STATE_VARIABLE, end_orphans};
pub use outcome::{Ending, Failure, LaunchError, Outcome};
pub use progress::{Progress, read_progress};
pub use report::{Report, read_report};
pub use template::{CommandError, Placeholders, expand};

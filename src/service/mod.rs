//! The loop: from checkpoint to list to training step, and again, until a stop rule applies.
//!
//! What to do next is read off the ledger ([`crate::ledger::Standing`]), never remembered: a service that was killed
//! and started again goes on as if nothing had happened.
//!
//! | file | owns |
//! | --- | --- |
//! | `run` | what a run has open: config, pool, ledger, what is known of each sample |
//! | `examine` | is this checkpoint fit, and how well does it do on the validation images? |
//! | `advance` | from an accepted checkpoint to the next list, or to the end |
//! | `visits` | what the trainer hands back of the images it was shown |
//! | `aside` | suspects and a person's reviews: who is not for training |
//! | `choose`, `confidence` | the policies; the default one by itself |
//! | `duplicates` | images of a scan that are nearly the same |
//! | `publish` | the commit of an epoch |
//! | `subset` | the rows of its lists |
//! | `training` | having a list trained by a child process |
//! | `following` | how far that is |
//! | `leftovers` | what a training step leaves behind |
//! | `mine` | one turn without a service |
//! | `waiting` | waiting for a checkpoint that somebody else makes |
//! | `plan`, `stop` | what work costs; when it ends |
//! | `hooks` | telling others what has happened |
//! | `shutdown`, `reload` | signals: to end, and to read the config anew |

mod advance;
mod aside;
mod choose;
mod confidence;
mod duplicates;
mod error;
mod examine;
mod following;
mod hooks;
mod leftovers;
mod mine;
mod plan;
mod publish;
mod reload;
mod run;
mod shutdown;
mod stop;
mod subset;
mod training;
mod visits;
mod waiting;

pub use aside::review;
pub use error::ServiceError;
pub use following::progress_path;
pub use mine::Mined;
pub use plan::Plan;
pub use reload::Reread;
pub use run::{Run, config_path, pool_digest};
pub use subset::check_names;
pub use training::trainer_program;

use advance::Advance;
use hooks::Event;
use reload::Reload;
use shutdown::Shutdown;

use crate::config::{Config, TrainerProgram};
use crate::ledger::{Access, Ledger, Outcome, Standing};
use crate::systemd;

/// How the loop came to its end.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// A stop rule applied.
    Stopped(Outcome),
    /// SIGTERM or SIGINT came; the next start continues.
    Interrupted,
    /// The same, and something did not end in time, as the loading of a large model: a thread is still at it. The process
    /// must end without waiting for it; as after any other death, the next start continues.
    Abandoned,
}

/// What a person can tell a run that goes on.
struct Signals {
    shutdown: Shutdown,
    reload: Reload,
}

/// Runs the loop of a config until a stop rule applies or a signal comes. `reread` gives the config anew, for SIGHUP.
///
/// Errors: whatever cannot be mended by waiting, as a full disk, a trainer that fails for good, or a pool that is gone.
/// The last good list stays in place.
pub async fn run(config: Config, reread: Option<Reread>) -> Result<Ended, ServiceError> {
    let signals = Signals { shutdown: Shutdown::listen()?, reload: Reload::listen(&config, reread)? };
    let overdue = signals.shutdown.clone();
    tokio::select! {
        biased;
        ended = serve(config, signals) => ended,
        () = overdue.overdue() => Ok(Ended::Abandoned),
    }
}

/// The whole life of a run that is open: until it ends, is asked to, or fails.
async fn serve(config: Config, mut signals: Signals) -> Result<Ended, ServiceError> {
    systemd::status(&format!("reading {}", config.pool.train.display()));
    let run = blocking(move || Run::open(config)).await??;
    let ended = go_on(run, &mut signals).await;
    if let Err(error) = &ended {
        tell_of_failure(&error.to_string(), &mut signals).await;
    }
    ended
}

/// Says in the ledger, to the service manager and to a hook that the run has failed; the next start tries again.
async fn tell_of_failure(reason: &str, signals: &mut Signals) {
    systemd::status(&format!("failed: {}", reason.lines().next().unwrap_or_default()));
    let config = signals.reload.newest();
    let (folder, noted) = (config.state.folder.clone(), reason.to_owned());
    let recorded = blocking(move || {
        let mut ledger = Ledger::open(&folder, Access::Write)?;
        ledger.record_failure(&noted)?;
        Ok::<_, ServiceError>(ledger.last_epoch()?.map(|epoch| epoch.commit.epoch))
    });
    let epoch = recorded.await.flatten().unwrap_or_else(|error| {
        tracing::warn!(%error, "the failure is not recorded, gleaner status will not know of it");
        None
    });
    hooks::run(&config, Event::Failed(reason.to_owned()), epoch, signals).await;
}

async fn go_on(mut run: Run, signals: &mut Signals) -> Result<Ended, ServiceError> {
    loop {
        if signals.shutdown.requested() {
            return Ok(Ended::Interrupted);
        }
        if let Some(config) = signals.reload.news() {
            run = in_background(run, move |run| run.take_over(config)).await?.0;
        }
        let standing = run.ledger.standing()?;
        run = match standing {
            Standing::Fresh => {
                let run = in_background(run, |run| run.begin()).await?.0;
                hooked(run, Event::Published, signals).await?
            }
            Standing::Committed(epoch) => {
                run.point_next(&epoch)?;
                match run.config().trainer.program {
                    TrainerProgram::None => waiting::for_checkpoint(run, &epoch, signals).await?,
                    _ => training::train(run, &epoch, signals).await?,
                }
            }
            Standing::Trained(checkpoint) => {
                systemd::ready();
                let cancel = signals.shutdown.flag();
                let (run, advance) =
                    in_background(run, move |run| run.advance(&checkpoint.checkpoint, &cancel)).await?;
                match (advance, run.ledger.outcome()?) {
                    (Advance::Published(epoch), _) => {
                        systemd::status(&format!("epoch {epoch} is published"));
                        hooked(run, Event::Published, signals).await?
                    }
                    (Advance::Stopped, Some(outcome)) => hooked(run, Event::Stopped(outcome.reason), signals).await?,
                    _ => run,
                }
            }
            Standing::Stopped(outcome) => {
                systemd::ready();
                systemd::status(&format!("ended by {}", outcome.reason));
                systemd::stopping();
                return Ok(Ended::Stopped(outcome));
            }
        };
    }
}

/// Runs the hook for an event; what is wrong with it becomes an event itself.
async fn hooked(mut run: Run, event: Event, signals: &mut Signals) -> Result<Run, ServiceError> {
    let epoch = run.ledger.last_epoch()?.map(|epoch| epoch.commit.epoch);
    if let Some(fault) = hooks::run(&run.config, event, epoch, signals).await {
        run.ledger.record_event("hook", &fault)?;
    }
    Ok(run)
}

/// Does work that blocks on a thread of its own, so that signals are still heard.
async fn blocking<T, F>(work: F) -> Result<T, ServiceError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(|_| ServiceError::Panicked)
}

/// Lends the run to a thread that blocks, and takes it back with what came of it.
async fn in_background<T, F>(mut run: Run, work: F) -> Result<(Run, T), ServiceError>
where
    T: Send + 'static,
    F: FnOnce(&mut Run) -> Result<T, ServiceError> + Send + 'static,
{
    let (run, outcome) = blocking(move || {
        let outcome = work(&mut run);
        (run, outcome)
    })
    .await?;
    Ok((run, outcome?))
}

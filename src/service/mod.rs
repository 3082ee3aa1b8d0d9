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
//! | `leftovers` | what a training step leaves behind |
//! | `mine` | one turn without a service |
//! | `waiting` | waiting for a checkpoint that somebody else makes |
//! | `plan`, `stop` | what work costs; when it ends |
//! | `shutdown`, `systemd` | signals, and what the service manager is told |

mod advance;
mod aside;
mod choose;
mod confidence;
mod duplicates;
mod error;
mod examine;
mod leftovers;
mod mine;
mod plan;
mod publish;
mod run;
mod shutdown;
mod stop;
mod subset;
mod systemd;
mod training;
mod visits;
mod waiting;

pub use aside::review;
pub use error::ServiceError;
pub use mine::Mined;
pub use plan::Plan;
pub use run::{Run, config_path, pool_digest};
pub use subset::check_names;
pub use training::trainer_program;

use advance::Advance;
use shutdown::Shutdown;

use crate::config::{Config, TrainerProgram};
use crate::ledger::{Outcome, Standing};

/// How the loop came to its end.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// A stop rule applied.
    Stopped(Outcome),
    /// SIGTERM or SIGINT came; the next start continues.
    Interrupted,
}

/// Runs the loop of a config until a stop rule applies or a signal comes.
///
/// Errors: whatever cannot be mended by waiting, as a full disk, a trainer that fails for good, or a pool that is gone.
/// The last good list stays in place.
pub async fn run(config: Config) -> Result<Ended, ServiceError> {
    let mut shutdown = Shutdown::listen()?;
    let mut run = blocking(move || Run::open(config)).await??;
    systemd::ready();
    loop {
        if shutdown.requested() {
            systemd::stopping();
            return Ok(Ended::Interrupted);
        }
        let standing = run.ledger.standing()?;
        run = match standing {
            Standing::Fresh => in_background(run, |run| run.begin()).await?.0,
            Standing::Committed(epoch) => {
                run.point_next(&epoch)?;
                match run.config().trainer.program {
                    TrainerProgram::None => waiting::for_checkpoint(run, &epoch, &mut shutdown).await?,
                    _ => training::train(run, &epoch, &mut shutdown).await?,
                }
            }
            Standing::Trained(checkpoint) => {
                systemd::status(&format!("choosing what follows epoch {}", checkpoint.checkpoint.epoch));
                let cancel = shutdown.flag();
                let (run, advance) =
                    in_background(run, move |run| run.advance(&checkpoint.checkpoint, &cancel)).await?;
                if let Advance::Published(epoch) = advance {
                    systemd::status(&format!("epoch {epoch} is published"));
                }
                run
            }
            Standing::Stopped(outcome) => {
                systemd::stopping();
                return Ok(Ended::Stopped(outcome));
            }
        };
    }
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

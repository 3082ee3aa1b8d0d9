//! Having a list trained by a child process, and taking the checkpoint that it leaves.

use std::env;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use humantime::format_duration;
use indicatif::HumanCount;

use super::examine::Examined;
use super::following::{follow, progress_path};
use super::leftovers::{clear, discard, state_of};
use super::run::{Run, config_path, shown};
use super::{ServiceError, Signals, blocking, in_background};
use crate::config::TrainerProgram;
use crate::launch::{self, Backoff, Job, RunningJob, Values};
use crate::ledger::{self, EpochRecord, Step, Training};
use crate::lists::Format;
use crate::settings;
use crate::systemd;
use crate::watch::WatchError;

/// How long a training step has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);

/// What one attempt came to.
enum Attempt {
    /// The checkpoint is accepted.
    Accepted,
    Failed(String),
    Interrupted,
}

/// Has the list of `epoch` trained, unless its checkpoint stands already, and examines what comes of it.
///
/// A step that fails is tried again as the config says. Errors: it failed for good, or the service itself cannot go on.
pub(super) async fn train(mut run: Run, epoch: &EpochRecord, signals: &mut Signals) -> Result<Run, ServiceError> {
    let number = epoch.commit.epoch;
    let trainer = run.config().trainer.clone();
    let mut backoff = Backoff::new(trainer.backoff, trainer.attempts);
    // A checkpoint that was refused in the scan was an attempt that came to nothing, too.
    if let Some((_, count, reason)) = run.refused_late.clone().filter(|(of, ..)| *of == number) {
        let mut delay = Some(Duration::ZERO);
        for _ in 0..count {
            delay = backoff.next_delay();
        }
        let Some(delay) = delay else {
            return Err(ServiceError::Training { epoch: number, attempts: trainer.attempts, reason });
        };
        tracing::info!(epoch = number, again_in = ?delay, "the step will be tried again");
        if pause(delay, signals).await.is_break() {
            return Ok(run);
        }
    }
    let (back, left_behind) = in_background(run, move |run| match run.ledger.step(number)? {
        None => run.put_aside_untrained(number).map(|()| false),
        Some(_) => run.left_behind(number),
    })
    .await?;
    run = back;
    systemd::ready();
    if left_behind {
        tracing::info!(epoch = number, "the checkpoint of an earlier start is there");
        let report = launch::read_report(&run.report_path(number)).unwrap_or_default();
        run.note_training(epoch, &report, None)?;
        let (back, attempt) = examine(run, number, signals).await?;
        run = back;
        match attempt {
            Attempt::Accepted | Attempt::Interrupted => return Ok(run),
            Attempt::Failed(reason) => {
                tracing::warn!(epoch = number, reason, "that checkpoint is not fit; training anew")
            }
        }
    }
    loop {
        systemd::status(&format!("training epoch {number} on {} images", HumanCount(visits(epoch))));
        let (back, attempt) = attempt(run, epoch, signals).await?;
        run = back;
        let reason = match attempt {
            Attempt::Accepted | Attempt::Interrupted => return Ok(run),
            Attempt::Failed(reason) => reason,
        };
        tracing::error!(epoch = number, reason, "the training step failed");
        run.ledger.record_event("trainer", &format!("epoch {number}: {reason}"))?;
        let Some(delay) = backoff.next_delay() else {
            return Err(ServiceError::Training { epoch: number, attempts: trainer.attempts, reason });
        };
        tracing::info!(epoch = number, again_in = ?delay, "the step will be tried again");
        if pause(delay, signals).await.is_break() {
            return Ok(run);
        }
        if let Some(config) = signals.reload.news() {
            run = in_background(run, move |run| run.take_over(config)).await?.0;
        }
    }
}

/// Waits before the next attempt; breaks off when the service is to end.
async fn pause(delay: Duration, signals: &mut Signals) -> ControlFlow<()> {
    systemd::status(&format!("the training step failed and will be tried again in {}", format_duration(delay)));
    systemd::waiting(async {
        tokio::select! {
            () = tokio::time::sleep(delay) => ControlFlow::Continue(()),
            () = signals.shutdown.wait() => ControlFlow::Break(()),
        }
    })
    .await
}

/// One attempt: start the trainer, wait for its end, examine its checkpoint.
async fn attempt(mut run: Run, epoch: &EpochRecord, signals: &mut Signals) -> Result<(Run, Attempt), ServiceError> {
    let number = epoch.commit.epoch;
    let values = run.values(epoch)?;
    // What an earlier attempt said or left must not speak for this one.
    let _ = std::fs::remove_file(&values.report);
    let _ = std::fs::remove_file(&values.progress);
    discard(&values.checkpoint_out);
    let folder = run.config().checkpoint.folder.clone();
    if let Err(source) = std::fs::create_dir_all(&folder) {
        return Ok((run, Attempt::Failed(WatchError::Create { folder, source }.to_string())));
    }
    let mut job = Job::new(run.command(&values)?);
    job.environment = values.environment();
    job.environment.push((launch::STATE_VARIABLE.to_owned(), state_of(run.config()).into_os_string()));
    job.timeout = run.config().trainer.timeout;
    run.ledger.record_step(number, Step::Started)?;
    let start = Instant::now();
    let mut running = RunningJob::start(job)?;
    let ended = systemd::waiting(async {
        tokio::select! {
            outcome = running.wait() => Some(outcome),
            () = signals.shutdown.wait() => None,
            never = follow(&values.progress, number, visits(epoch)) => match never {},
        }
    });
    let ended = ended.await;
    let _ = std::fs::remove_file(&values.progress);
    let Some(outcome) = ended else {
        running.stop(GRACE).await;
        // The next start ends what is still there.
        let config = run.config().clone();
        let _ = blocking(move || clear(&config)).await?;
        discard(&values.checkpoint_out);
        return Ok((run, Attempt::Interrupted));
    };
    let train_s = start.elapsed().as_secs_f64();
    if outcome != launch::Outcome::Succeeded {
        let config = run.config().clone();
        blocking(move || clear(&config)).await??;
        discard(&values.checkpoint_out);
        return Ok((run, Attempt::Failed(outcome.to_string())));
    }
    if !values.checkpoint_out.is_file() {
        let missing = format!("it ended well but left no {}", values.checkpoint_out.display());
        return Ok((run, Attempt::Failed(missing)));
    }
    let report = launch::read_report(&values.report).unwrap_or_default();
    // Before the checkpoint is accepted: what comes after it counts on the cost being known.
    run.note_training(epoch, &report, Some(train_s))?;
    run.ledger.record_step(number, Step::Succeeded)?;
    examine(run, number, signals).await
}

/// Examines the checkpoint that stands for an epoch; one that is not fit is put aside.
async fn examine(run: Run, epoch: u32, signals: &Signals) -> Result<(Run, Attempt), ServiceError> {
    let cancel = signals.shutdown.flag();
    in_background(run, move |run| {
        let path = run.checkpoint_path(epoch);
        Ok(match run.examine(&path, epoch, &cancel)? {
            Examined::Accepted => Attempt::Accepted,
            Examined::Cancelled => Attempt::Interrupted,
            Examined::Refused { reason, digest } => {
                run.refuse(&path, epoch, &reason, digest)?;
                Attempt::Failed(reason)
            }
        })
    })
    .await
}

fn visits(epoch: &EpochRecord) -> u64 {
    epoch.commit.strata.size().unwrap_or_default()
}

impl Run {
    /// Records what training took: by the trainer's own account, or else one visit of every image on the list.
    pub(super) fn note_training(
        &mut self,
        epoch: &EpochRecord,
        report: &launch::Report,
        train_s: Option<f64>,
    ) -> Result<(), ServiceError> {
        let number = epoch.commit.epoch;
        if let Some(skipped) = report.skipped.filter(|&skipped| skipped > 0) {
            let text = format!("epoch {number}: the trainer left out {skipped} images that it could not read");
            tracing::warn!(epoch = number, skipped, "the trainer left out images that it could not read");
            self.ledger.record_event("skipped", &text)?;
        }
        let train_visits = report.images.unwrap_or_else(|| visits(epoch));
        let (seconds, loss) = (shown(train_s), shown(report.loss));
        tracing::info!(epoch = number, images = train_visits, seconds, loss, "trained");
        Ok(self.ledger.record_training(number, &Training { train_visits, train_s, step_s: report.seconds })?)
    }

    /// The work done before the training of an epoch: an attempt of it that came to nothing does not count.
    fn spent_before(&self, epoch: u32) -> Result<f64, ServiceError> {
        let attempted = self.ledger.epoch(epoch)?.map_or(0, |record| record.training.train_visits);
        Ok(self.ledger.totals()?.cost - attempted as f64)
    }

    /// Where a training step may leave its account.
    fn report_path(&self, epoch: u32) -> PathBuf {
        self.config().state.folder.join(format!("report-{epoch:04}.json"))
    }

    /// What a training step is told.
    fn values(&self, epoch: &EpochRecord) -> Result<Values, ServiceError> {
        let config = self.config();
        let number = epoch.commit.epoch;
        let list = |format: Format| config.lists.folder.join(format.epoch_name(number));
        let checkpoint_in = match self.ledger.newest_checkpoint()? {
            Some(newest) => Some(newest.checkpoint.path),
            None => config.model.start.clone(),
        };
        let spent = self.spent_before(number)?;
        let horizon = self.plan.horizon(config.stop.epochs, number, spent, visits(epoch) as usize);
        Ok(Values {
            list: list(settings::list_format(config)),
            manifest: list(Format::Csv),
            checkpoint_in,
            checkpoint_out: self.checkpoint_path(number),
            scores_out: ledger::scores_beside(&self.checkpoint_path(number)),
            report: self.report_path(number),
            progress: progress_path(config),
            epoch: number,
            seed: config.seed,
            work_done: spent.round() as u64,
            work_planned: (horizon > 0.0).then_some(horizon.round() as u64),
        })
    }

    /// The command line of a training step: the user's, or that of the built-in trainer.
    fn command(&self, values: &Values) -> Result<Vec<OsString>, ServiceError> {
        match &self.config().trainer.program {
            TrainerProgram::Command(command) => Ok(launch::expand(command, values)?),
            TrainerProgram::BuiltIn | TrainerProgram::None => Ok(self.built_in(values)),
        }
    }

    fn built_in(&self, values: &Values) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![trainer_program().into_os_string(), "step".into()];
        let mut option = |name: &str, value: OsString| command.extend([name.into(), value]);
        option("--config", config_path(self.config()).into_os_string());
        option("--manifest", values.manifest.clone().into_os_string());
        option("--checkpoint-in", values.checkpoint_in.clone().unwrap_or_default().into_os_string());
        option("--checkpoint-out", values.checkpoint_out.clone().into_os_string());
        option("--epoch", values.epoch.to_string().into());
        option("--seed", values.seed.to_string().into());
        option("--work-done", values.work_done.to_string().into());
        option("--work-planned", values.work_planned.unwrap_or(0).to_string().into());
        command
    }
}

/// `gleaner-trainer` beside this program, or else wherever PATH has it.
pub fn trainer_program() -> PathBuf {
    let name = "gleaner-trainer";
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.join(name)));
    beside.filter(|program| program.is_file()).unwrap_or_else(|| name.into())
}

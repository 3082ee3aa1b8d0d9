//! `gleaner control`: a finished run's plan once more with policy `uniform`, at the same cost, and both beside each other.

mod account;
mod beside;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use self::account::Account;
use super::Configured;
use crate::config::{Config, Policy, TrainerProgram, Word as _};
use crate::ledger::{Ledger, Standing};
use crate::pool::Pool;
use crate::service::{config_path, pool_digest};
use crate::settings;

/// The folder of a control, beside the run's state folder.
const FOLDER: &str = "control";

/// Arguments of `gleaner control`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    configured: Configured,
    /// Where the control's own state, lists and watch folders go [default: `control`, beside the run's state folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The seed of the control's draws [default: that of the run, so that both begin with the same list]
    #[arg(long)]
    seed: Option<u64>,
    /// Print both as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `gleaner control`.
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let given = super::run::config(&arguments.configured)?;
    let ledger = Ledger::open_read_only(&given.state.folder)?;
    let run = Config::load(&config_path(&given), &[])?;
    refuse(&run, &ledger, &arguments.configured.config)?;
    let pool = pool_len(&run, &ledger)?;
    let account = Account::of(&ledger, &run, pool)?;
    drop(ledger);
    let folder = match &arguments.folder {
        Some(folder) => std::path::absolute(folder).context("the working directory cannot be told")?,
        None => given.state.folder.parent().unwrap_or(Path::new("/")).join(FOLDER),
    };
    let control = control(&run, account.spent(), &folder, arguments.seed);
    keep_apart(&[&given, &run], &control, &folder)?;
    let interrupted = || eprintln!("interrupted; the same command continues the control");
    if super::run::serve(control.clone(), None, interrupted)?.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    // From here on it only prints.
    super::end_with_the_reader();
    let control = Account::of(&Ledger::open_read_only(&control.state.folder)?, &control, pool)?;
    let table = beside::Beside::new(account, control);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&table)?);
    } else {
        print!("{}", table.text());
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses runs that there is no control of.
fn refuse(run: &Config, ledger: &Ledger, config: &Path) -> anyhow::Result<()> {
    let state = ledger.folder().display();
    if run.policy == Policy::Uniform {
        bail!(
            "{state}: this run's policy is uniform, it is a control itself; name the config of a run with another policy"
        );
    }
    if run.trainer.program == TrainerProgram::None {
        bail!(
            "{state}: this run's trainer is `none`, a script that runs by itself, which gleaner cannot start again on other \
             lists; run the script on a second config with policy: uniform and the same plan.cost, or give its command as \
             trainer.command"
        );
    }
    match ledger.standing()? {
        Standing::Stopped(_) => Ok(()),
        _ => bail!(
            "{state}: this run has not ended, so that what it costs is not known yet; let it end first: gleaner run -c {}",
            config.display()
        ),
    }
}

/// The number of images in the pool, if it still is the run's.
fn pool_len(run: &Config, ledger: &Ledger) -> anyhow::Result<u32> {
    let pool = Pool::load(&run.pool.train)?;
    if ledger.run()?.is_some_and(|record| record.run.pool_digest != pool_digest(&pool)) {
        bail!(
            "{}: has changed since the run in {}; put the list back as it was, on another pool the two cannot be compared",
            pool.source().display(),
            ledger.folder().display()
        );
    }
    Ok(pool.len())
}

/// The config of the control; `spent` is in full-data epochs.
fn control(run: &Config, spent: f64, folder: &Path, seed: Option<u64>) -> Config {
    let mut control = run.clone();
    control.policy = Policy::Uniform;
    control.suspects.reviews = Some(settings::reviews(run));
    control.seed = seed.unwrap_or(run.seed);
    control.plan.cost = Some(spent);
    control.stop.accuracy = None;
    control.stop.patience = None;
    control.stop.epochs = None;
    control.state.folder = folder.join("state");
    control.lists.folder = folder.join("lists");
    control.checkpoint.folder = folder.join("watch");
    control
}

/// Refuses folders of the run itself, and of another control.
fn keep_apart(runs: &[&Config], control: &Config, folder: &Path) -> anyhow::Result<()> {
    let theirs =
        |config: &Config| [config.state.folder.clone(), config.lists.folder.clone(), config.checkpoint.folder.clone()];
    let taken: Vec<PathBuf> = runs.iter().flat_map(|run| theirs(run)).collect();
    if let Some(twice) = theirs(control).iter().find(|mine| taken.contains(mine)) {
        bail!("{}: belongs to the run itself; give the control another --folder", twice.display());
    }
    let standing = config_path(control);
    if standing.exists() && Config::load(&standing, &[])? != *control {
        bail!(
            "{}: is there already, of a control with another config, cost or seed (policy {} is expected, plan.cost {}, \
             seed {}); move it away, or give this one another --folder",
            folder.display(),
            control.policy.word(),
            control.plan.cost.unwrap_or_default(),
            control.seed
        );
    }
    Ok(())
}

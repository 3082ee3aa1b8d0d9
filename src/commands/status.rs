//! `gleaner status`: where a run stands, read from its ledger, also while the service runs.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::Configured;
use crate::launch;
use crate::ledger::{CheckpointStatus, EpochRecord, EpochStatus, Ledger, Standing, Totals};
use crate::service::progress_path;

/// How many of the newest events are told.
const EVENTS: u32 = 20;

/// Arguments of `gleaner status`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    configured: Configured,
    /// As JSON, with every epoch
    #[arg(long)]
    json: bool,
}

/// Runs `gleaner status`.
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.configured.load()?;
    let ledger = Ledger::open_read_only(&config.state.folder)?;
    let mut status = status(&ledger)?;
    status["training"] = training(&ledger, &progress_path(&config))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print_for_people(&status);
    }
    Ok(ExitCode::SUCCESS)
}

fn status(ledger: &Ledger) -> anyhow::Result<Value> {
    let totals = ledger.totals()?;
    let records = ledger.epochs()?;
    let mut cost_so_far = 0.0;
    let epochs: Vec<Value> = records
        .iter()
        .map(|record| {
            cost_so_far += record.cost;
            epoch(record, cost_so_far)
        })
        .collect();
    let outcome = ledger.outcome()?;
    let failure = ledger.failure()?;
    let rejected: Vec<Value> = (ledger.checkpoints()?.iter())
        .filter(|record| record.checkpoint.status == CheckpointStatus::Rejected)
        .map(|record| {
            json!({
                "epoch": record.checkpoint.epoch,
                "path": record.checkpoint.path,
                "reason": record.checkpoint.reason,
                "seen_at": record.seen_at,
            })
        })
        .collect();
    Ok(json!({
        "policy": ledger.run()?.map(|record| record.run.policy),
        "standing": standing(&ledger.standing()?),
        "failed": failure.map(|failure| json!({"time": failure.time, "reason": failure.reason})),
        "epochs": epochs,
        "totals": {
            "epochs": totals.epochs,
            "train_visits": totals.train_visits,
            "scan_forwards": totals.scan_forwards,
            "cost": totals.cost,
            "measured_forward": measured_forward(&totals, ledger)?,
            "train_s": totals.train_s,
            "scan_s": totals.scan_s,
            "cluster_s": totals.cluster_s,
            "select_s": totals.select_s,
        },
        "outcome": outcome.map(|outcome| json!({
            "reason": outcome.reason,
            "best_epoch": outcome.best_epoch,
            "best_accuracy": outcome.best_accuracy,
            "test_accuracy": outcome.test_accuracy,
        })),
        "rejected": rejected,
        "events": ledger.events(EVENTS)?.into_iter().map(|event| json!({
            "time": event.time, "kind": event.kind, "text": event.text,
        })).collect::<Vec<_>>(),
    }))
}

fn epoch(record: &EpochRecord, cost_so_far: f64) -> Value {
    let (commit, strata, training) = (&record.commit, &record.commit.strata, &record.training);
    json!({
        "epoch": commit.epoch,
        "status": match record.status {
            EpochStatus::Committed => "committed",
            EpochStatus::Trained => "trained",
            EpochStatus::Skipped => "skipped",
        },
        "size": strata.size(),
        "initial": strata.initial,
        "uniform": strata.uniform,
        "mined": strata.mined,
        "extra": strata.extra,
        "full": strata.full,
        "scanned": commit.scanned,
        "found": commit.mined,
        "clusters": commit.clusters,
        "skipped": commit.skipped,
        "suspects": commit.suspects,
        "kept_out": commit.kept_out,
        "scan_forwards": commit.scan_forwards,
        "train_visits": training.train_visits,
        "cost": record.cost,
        "cost_so_far": cost_so_far,
        "validation_accuracy": record.validation.map(|validation| validation.accuracy),
        "validation_loss": record.validation.map(|validation| validation.loss),
        "train_s": training.train_s.unwrap_or_default(),
        "step_s": training.step_s,
        "scan_s": commit.scan_s,
        "cluster_s": commit.cluster_s,
        "select_s": commit.select_s,
        "lists": commit.lists.iter().map(|(name, digest)| json!({"name": name, "sha256": digest})).collect::<Vec<_>>(),
    })
}

fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Fresh => "nothing is published yet".to_owned(),
        Standing::Committed(epoch) => {
            format!("epoch {} is published, its checkpoint is awaited", epoch.commit.epoch)
        }
        Standing::Trained(checkpoint) => {
            format!("epoch {} is trained, the next list is due", checkpoint.checkpoint.epoch)
        }
        Standing::Stopped(outcome) => format!("ended by {}", outcome.reason),
    }
}

/// How far the training step that runs is, if it tells; nothing otherwise.
fn training(ledger: &Ledger, progress: &Path) -> anyhow::Result<Value> {
    let Standing::Committed(record) = ledger.standing()? else { return Ok(Value::Null) };
    let size = record.commit.strata.size().unwrap_or_default();
    let Ok(Some(reached)) = launch::read_progress(progress, size) else { return Ok(Value::Null) };
    let told = progress.metadata().and_then(|metadata| metadata.modified()).ok();
    Ok(json!({
        "epoch": record.commit.epoch,
        "images": reached.images,
        "total": reached.total,
        "images_per_s": reached.rate(),
        "loss": reached.loss,
        "seconds_left": reached.seconds_left(),
        "told_s_ago": told.and_then(|told| told.elapsed().ok()).map(|ago| ago.as_secs()),
        "text": reached.to_string(),
    }))
}

/// What a scoring forward costs on this machine, in training visits: seconds an image of scanning and validating over
/// seconds an image of training, both by the programs' own clocks. Nothing before the first step.
fn measured_forward(totals: &Totals, ledger: &Ledger) -> anyhow::Result<Option<f64>> {
    let validations = ledger.validations()?;
    let images = totals.scan_forwards + validations.iter().map(|validation| validation.images).sum::<u64>();
    let seconds = totals.scan_s + validations.iter().map(|validation| validation.seconds).sum::<f64>();
    let measurable = images > 0 && seconds > 0.0 && totals.train_visits > 0 && totals.step_s > 0.0;
    Ok(measurable.then(|| (seconds / images as f64) / (totals.step_s / totals.train_visits as f64)))
}

fn print_for_people(status: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    println!("policy    {}", text(&status["policy"]));
    if let Some(reason) = status["failed"]["reason"].as_str() {
        println!("failed    at {}, until it is started again: {reason}", text(&status["failed"]["time"]));
    }
    println!("standing  {}", text(&status["standing"]));
    if let Some(reached) = status["training"]["text"].as_str() {
        // After a crash it is old, and says so.
        println!("training  {reached}; told {} s ago", status["training"]["told_s_ago"]);
    }
    println!("\nepoch    size   mined   extra  scanned   found  accuracy        cost");
    for epoch in status["epochs"].as_array().into_iter().flatten() {
        let number = |name: &str| epoch[name].as_u64().unwrap_or_default();
        let accuracy = epoch["validation_accuracy"].as_f64().map_or("-".to_owned(), |value| format!("{value:.4}"));
        println!(
            "{:>5} {:>7} {:>7} {:>7} {:>8} {:>7} {:>9} {:>11.0}",
            number("epoch"),
            number("size"),
            number("mined"),
            number("extra"),
            number("scanned"),
            number("found"),
            accuracy,
            epoch["cost_so_far"].as_f64().unwrap_or_default()
        );
    }
    if let Some(last) = status["epochs"].as_array().and_then(|epochs| epochs.last())
        && last["suspects"] != 0
    {
        let (suspects, kept_out) = (&last["suspects"], &last["kept_out"]);
        println!(
            "\nsuspects  {suspects} labels are probably wrong (suspects.csv), {kept_out} images are kept out of training"
        );
    }
    if let Some(outcome) = status["outcome"].as_object() {
        let number = |name: &str| outcome.get(name).and_then(Value::as_f64);
        println!(
            "\nbest epoch {}, validation accuracy {}, test accuracy {}",
            outcome.get("best_epoch").map_or("-".to_owned(), Value::to_string),
            number("best_accuracy").map_or("-".to_owned(), |value| format!("{value:.4}")),
            number("test_accuracy").map_or("-".to_owned(), |value| format!("{value:.4}")),
        );
    }
    for rejected in status["rejected"].as_array().into_iter().flatten() {
        println!("rejected  {}: {}", text(&rejected["path"]), text(&rejected["reason"]));
    }
    for event in status["events"].as_array().into_iter().flatten() {
        println!("{}  {}: {}", text(&event["time"]), text(&event["kind"]), text(&event["text"]));
    }
}

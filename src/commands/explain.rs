//! `gleaner explain`: everything that is known of one image, read from the state, also while the service runs.

mod image;
mod known;
mod tell;
mod why;

use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use self::known::Known;
use self::why::Reason;
use super::Configured;
use crate::config::Config;
use crate::ledger::{NONE, Samples};
use crate::lists::{Format, ManifestRow, walk_manifest};
use crate::pool::Pool;
use crate::prediction::Prediction;
use crate::suspects::{Doubt, Verdict};

/// Arguments of `gleaner explain`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The image: its path as the pool lists it, absolute, or from the current folder; or its number in the pool, from 0,
    /// as in '#1234' (with the quotes, for the shell)
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    configured: Configured,
    /// How many images of its cluster are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    mates: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs `gleaner explain`.
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = super::run::config(&arguments.configured)?;
    let ledger = known::open(&config)?;
    let mut pool = Pool::load(&config.pool.train)?;
    let id = image::find(&pool, &arguments.image)?;
    let mut known = known::read(ledger, &config, &pool)?;
    known.relabel(&mut pool);
    let explanation = explain(&config, &pool, &known, id, arguments.mates)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        print!("{}", tell::text(&explanation));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is told of an image; the names are the keys of the JSON.
#[derive(Debug, Serialize)]
struct Explanation {
    id: u32,
    /// The path to open.
    path: String,
    /// The path as the pool's list has it.
    listed: String,
    label: u32,
    class: Option<String>,
    history: History,
    list: Placement,
    cluster: Option<Cluster>,
    duplicate_of: Option<Twin>,
}

#[derive(Debug, Serialize)]
struct History {
    /// How many lists had the image.
    visits: u32,
    /// The epoch of the last list that had it.
    last_trained: Option<u32>,
    /// The epoch whose model scored it last.
    last_scored: Option<u32>,
    answer: Option<Answer>,
    /// Why it could not be read when it was to be scored last.
    unreadable: Option<String>,
    /// The mean of p(label) over the models that have scored it, and how many those were.
    mean_p_label: Option<f32>,
    times_scored: u8,
    /// Whether the label is probably wrong, and what speaks against it.
    suspect: bool,
    doubt: Option<&'static str>,
    /// What a person has said of it.
    review: Option<&'static str>,
    streak: u16,
    inclusion: Option<f32>,
    chosen: Option<f32>,
}

#[derive(Debug, Serialize)]
struct Answer {
    predicted: u32,
    class: Option<String>,
    right: bool,
    p_label: f32,
    confidence: f32,
    margin: f32,
    loss: f32,
}

/// The last list, and the image's place in it.
#[derive(Debug, Default, Serialize)]
struct Placement {
    epoch: Option<u32>,
    status: Option<&'static str>,
    size: Option<u64>,
    listed: bool,
    row: Option<Place>,
    /// Why it is not on the list, or why its row cannot be told.
    reason: Option<Reason>,
}

/// A row of the manifest.
#[derive(Debug, Serialize)]
struct Place {
    /// Counted from 0.
    order: u64,
    stratum: &'static str,
    weight: f32,
    cluster: Option<u32>,
    predicted: Option<u32>,
    confidence: Option<f32>,
    margin: Option<f32>,
}

#[derive(Debug, Serialize)]
struct Cluster {
    number: u32,
    /// Other images of the pool that were last seen in it.
    others: u64,
    same_label: u64,
    other_label: u64,
    mates: Vec<Mate>,
}

/// An image that is nearly the same.
#[derive(Debug, Serialize)]
struct Twin {
    id: u32,
    path: String,
    label: u32,
    class: Option<String>,
    /// As a share of the radius of the clusters, to the model of `epoch`.
    distance: f32,
    epoch: u32,
}

#[derive(Debug, Serialize)]
struct Mate {
    id: u32,
    path: String,
    label: u32,
    class: Option<String>,
    predicted: Option<u32>,
}

fn explain(config: &Config, pool: &Pool, known: &Known, id: u32, mates: usize) -> anyhow::Result<Explanation> {
    let path = pool.path(id);
    Ok(Explanation {
        id,
        path: path.to_string_lossy().into_owned(),
        listed: String::from_utf8_lossy(pool.listed(id)).into_owned(),
        label: pool.label(id),
        class: class(pool, pool.label(id)),
        history: history(pool, known, id)?,
        list: placement(config, pool, known, id)?,
        cluster: cluster(pool, &known.samples, id, mates),
        duplicate_of: known.duplicates.of(id).map(|duplicate| Twin {
            id: duplicate.kept,
            path: pool.path(duplicate.kept).to_string_lossy().into_owned(),
            label: pool.label(duplicate.kept),
            class: class(pool, pool.label(duplicate.kept)),
            distance: duplicate.distance,
            epoch: duplicate.epoch,
        }),
    })
}

fn history(pool: &Pool, known: &Known, id: u32) -> anyhow::Result<History> {
    let (at, samples) = (id as usize, &known.samples);
    let answer = known.answer(id).map(|said| answer(pool, id, &said));
    let doubt = known.doubt(pool, id);
    Ok(History {
        visits: samples.visits.get(at).copied().unwrap_or_default(),
        last_trained: known.last_trained(id),
        last_scored: known.last_scored(id),
        unreadable: known.unreadable(&pool.path(id), id)?,
        answer,
        mean_p_label: measured(&samples.mean_p_label, id),
        times_scored: samples.times_scored.get(at).copied().unwrap_or_default(),
        suspect: doubt.is_some(),
        doubt: doubt.map(Doubt::word),
        review: known.reviews.of(id).map(Verdict::word),
        streak: samples.streak.get(at).copied().unwrap_or_default(),
        inclusion: measured(&samples.inclusion, id),
        chosen: measured(&samples.chosen, id),
    })
}

fn answer(pool: &Pool, id: u32, said: &Prediction) -> Answer {
    let Prediction { predicted, p_label, confidence, margin, loss } = *said;
    let right = said.is_right(pool.label(id));
    Answer { predicted, class: class(pool, predicted), right, p_label, confidence, margin, loss }
}

fn placement(config: &Config, pool: &Pool, known: &Known, id: u32) -> anyhow::Result<Placement> {
    let Some(last) = known.epochs.last() else {
        return Ok(Placement { reason: Some(why::no_list()), ..Placement::default() });
    };
    let (epoch, size) = (last.commit.epoch, last.commit.strata.size());
    let placement = Placement { epoch: Some(epoch), status: Some(last.status.name()), size, ..Placement::default() };
    if known.last_trained(id) != Some(epoch) {
        let unreadable = known.unreadable(&pool.path(id), id)?;
        let reason = known.case(pool, id, last, unreadable.as_deref()).map(|case| case.reason());
        return Ok(Placement { reason, ..placement });
    }
    let (row, reason) = match row(config, pool, id, epoch) {
        Ok(Some(row)) => (Some(row), None),
        Ok(None) => (None, Some(why::no_row("the manifest has no such row"))),
        Err(error) => (None, Some(why::no_row(&error.to_string()))),
    };
    Ok(Placement { listed: true, row, reason, ..placement })
}

/// The image's row in the manifest of an epoch. Its path may stand there as it is listed, or absolute.
fn row(config: &Config, pool: &Pool, id: u32, epoch: u32) -> Result<Option<Place>, crate::lists::ListError> {
    let (listed, absolute) = (pool.listed(id), pool.path(id));
    let mut order = 0;
    let mut found = None;
    walk_manifest(&config.lists.folder.join(Format::Csv.epoch_name(epoch)), |row: ManifestRow| {
        if row.path.as_bytes() == listed || row.path == absolute {
            let ManifestRow { stratum, weight, cluster, predicted, confidence, margin, .. } = row;
            found = Some(Place { order, stratum, weight, cluster, predicted, confidence, margin });
            return ControlFlow::Break(());
        }
        order += 1;
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn cluster(pool: &Pool, samples: &Samples, id: u32, most: usize) -> Option<Cluster> {
    let number = samples.cluster.get(id as usize).copied().filter(|&number| number != NONE)?;
    let label = pool.label(id);
    let others = || (0..).zip(&samples.cluster).filter(|&(other, &of)| of == number && other != id);
    let (same, different): (Vec<u32>, Vec<u32>) =
        others().map(|(other, _)| other).partition(|&other| pool.label(other) == label);
    let mate = |(other, _): (u32, &u32)| Mate {
        id: other,
        path: pool.path(other).to_string_lossy().into_owned(),
        label: pool.label(other),
        class: class(pool, pool.label(other)),
        predicted: samples.score(other).map(|said| said.predicted).filter(|&predicted| predicted != NONE),
    };
    let (same_label, other_label) = (same.len() as u64, different.len() as u64);
    let mates = others().take(most).map(mate).collect();
    Some(Cluster { number, others: same_label + other_label, same_label, other_label, mates })
}

/// The name of a class, where classes have names.
fn class(pool: &Pool, label: u32) -> Option<String> {
    pool.class_names()?.get(label as usize).cloned()
}

fn measured(column: &[f32], id: u32) -> Option<f32> {
    column.get(id as usize).copied().filter(|value| !value.is_nan())
}

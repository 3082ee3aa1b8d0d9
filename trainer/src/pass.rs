//! A pass over the manifest: batch by batch forward and backward, and the weights' moves.

use crate::average::Average;
use crate::feed::{Arrived, Feed};
use crate::frame::Frame;
use crate::gather::Gather;
use crate::graph::{Graph, Mode};
use crate::loader::Loader;
use crate::loss::weighted_cross_entropy;
use crate::mixing::Mixing;
use crate::news::News;
use crate::optimiser::Optimiser;
use crate::schedule::Schedule;
use crate::scores::Scores;
use crate::setup::is_finite;
use crate::{memory, state};
use anyhow::{Context, anyhow, bail};
use gleaner::config::TrainConfig;
use std::time::{Duration, Instant};
use tch::{Device, TchError, Tensor};

/// How often a running step says how far it is.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// What a pass works with, and what it leaves behind.
pub struct Pass<'a> {
    /// The graph that is trained.
    pub graph: Graph,
    /// What moves its weights.
    pub optimiser: Optimiser,
    /// What follows them, if checkpoints are to hold an average.
    pub average: Option<Average>,
    /// The learning rate.
    pub schedule: Schedule,
    /// The rest of the recipe.
    pub recipe: &'a TrainConfig,
    /// The form of a batch.
    pub frame: Frame,
    /// Which batches are mixed, and how.
    pub mixing: Mixing,
    /// Where the graph is.
    pub device: Device,
    /// The number of this epoch.
    pub epoch: u32,
    /// Images in the manifest.
    pub total: usize,
    /// What was seen of each.
    pub scores: Scores,
    /// Who is told how far it is.
    pub news: News,
}

/// What a step did.
pub struct Outcome {
    images: usize,
    skipped: usize,
    seconds: f64,
    /// Of these, how many the step stood still because no batch was ready.
    waited: f64,
    /// The mean over all images of weight times cross-entropy, mixed where images are.
    loss: f64,
    learning_rate: f64,
}

impl Outcome {
    /// For the report file.
    pub fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "images": self.images,
            "skipped": self.skipped,
            "seconds": self.seconds,
            "waited": self.waited,
            "loss": self.loss,
            "learning_rate": self.learning_rate,
        })
    }

    /// The same in the middle of a step that visits `total` images.
    fn progress(&self, total: usize) -> serde_json::Value {
        serde_json::json!({ "images": self.images, "total": total, "seconds": self.seconds, "loss": self.loss })
    }
}

impl Pass<'_> {
    /// Trains on every batch.
    ///
    /// # Errors
    /// The loss or the gradient is no finite number, memory runs out, a node of the graph cannot compute, or no image can be
    /// decoded.
    pub fn train(&mut self, mut loader: Loader<Result<Feed, TchError>>) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        let mut told = began;
        let mut outcome = Outcome { images: 0, skipped: 0, seconds: 0.0, waited: 0.0, loss: 0.0, learning_rate: 0.0 };
        let mut sum = 0.0;
        let mut number = 0usize;
        let mut gather = Gather::new();
        let mut asked = began;
        while let Some(feed) = loader.next_batch() {
            number += 1;
            outcome.waited += asked.elapsed().as_secs_f64();
            let most = usize::try_from(self.recipe.batch)?;
            let feed =
                feed.map_err(|error| memory::explain(error.into(), most)).with_context(|| format!("batch {number}"))?;
            let (images, closes) = (feed.batch.len(), feed.batch.closes);
            let share = gather.add(images);
            outcome.learning_rate = self.schedule.rate(gather.before(), gather.images());
            let learnt = self.learn(number, feed, share).and_then(|loss| {
                check("loss", loss, outcome.learning_rate)?;
                if closes {
                    self.advance(&mut gather, outcome.learning_rate)?;
                }
                Ok(loss)
            });
            let loss =
                learnt.map_err(|error| memory::explain(error, images)).with_context(|| format!("batch {number}"))?;
            sum += loss * images as f64;
            outcome.images += images;
            outcome.seconds = began.elapsed().as_secs_f64();
            outcome.loss = sum / outcome.images as f64;
            if self.news.are_due() {
                self.news.tell(&outcome.progress(self.total));
            }
            if told.elapsed() >= REPORT_EVERY {
                told = Instant::now();
                self.tell(&outcome);
            }
            asked = Instant::now();
        }
        if !gather.is_empty() {
            self.advance(&mut gather, outcome.learning_rate).with_context(|| format!("batch {number}"))?;
        }
        outcome.skipped = loader.finish()?;
        if outcome.images == 0 {
            bail!(
                "none of the {} images could be decoded, as warned above; nothing was written; restore the files, or correct \
                 pool.train, from whose folder relative paths count",
                self.total
            );
        }
        // What the last move did, no loss tells.
        for (name, weight) in self.graph.trained() {
            if !is_finite(weight)? {
                let what = format!("weight {name:?} after batch {number}");
                return Err(run_away(&what, "no finite number", outcome.learning_rate));
            }
        }
        self.tell(&outcome);
        self.news.tell(&outcome.progress(self.total));
        Ok(outcome)
    }

    /// One batch: forward and backward, with `share` times its loss. Returns the loss, which like the scores belongs to the
    /// weights before they move.
    fn learn(&mut self, number: usize, feed: Feed, share: f64) -> anyhow::Result<f64> {
        let Arrived { mut images, labels, weights } = feed.send(self.device)?;
        let batch = feed.batch;
        let mix = self.mixing.draw(number as u64, batch.len(), self.frame.sides());
        if let Some(mix) = &mix {
            images = mix.images(images, self.frame.layout)?;
        }
        let logits = self.graph.logits(&images, Mode::Train)?;
        let smoothing = self.recipe.label_smoothing;
        let loss_of = |labels: &Tensor, weights: &Tensor| weighted_cross_entropy(&logits, labels, weights, smoothing);
        let loss = match &mix {
            None => loss_of(&labels, &weights)?,
            Some(mix) => mix.loss(&labels, &weights, loss_of)?,
        };
        let value = loss.f_double_value(&[])?;
        let answers = state::values(&logits)?;
        if value.is_finite() {
            let shared = if share == 1.0 { loss } else { loss.f_mul_scalar(share)? };
            self.optimiser.backward(&shared)?;
        }
        // Last, so that a GPU is at work meanwhile. A mixed image itself was not seen.
        if mix.is_none() {
            self.scores.note(&batch, &answers);
        }
        Ok(value)
    }

    /// Moves the weights by what was gathered.
    fn advance(&mut self, gather: &mut Gather, learning_rate: f64) -> anyhow::Result<()> {
        let factor = gather.finish();
        if factor != 1.0 {
            self.optimiser.scale_gradients(factor)?;
        }
        if let Some(most) = self.recipe.clip_norm {
            let norm = self.optimiser.clip(most)?;
            check("length of the gradient", norm, learning_rate)?;
        }
        self.optimiser.step(learning_rate)?;
        match &mut self.average {
            Some(average) => Ok(average.follow()?),
            None => Ok(()),
        }
    }

    fn tell(&self, outcome: &Outcome) {
        eprintln!(
            "epoch {}: {}/{} images, loss {:.4}, learning rate {:.5}, {:.0} images/s",
            self.epoch,
            outcome.images,
            self.total,
            outcome.loss,
            outcome.learning_rate,
            outcome.images as f64 / outcome.seconds.max(1e-9)
        );
    }
}

/// Training that has run away is ended before it writes anything.
fn check(what: &str, value: f64, learning_rate: f64) -> anyhow::Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(run_away(&format!("the {what}"), &value.to_string(), learning_rate))
}

fn run_away(what: &str, is: &str, learning_rate: f64) -> anyhow::Error {
    anyhow!(
        "{what} is {is} at learning rate {learning_rate:.6}; nothing was written; lower `train.learning_rate`, or raise \
         `train.warmup`"
    )
}

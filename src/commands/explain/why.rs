//! Why an image is not on the last list: only what the state can bear witness to.

use std::path::PathBuf;

use serde::Serialize;

use super::known::Rules;
use crate::ledger::EpochCommit;
use crate::mine::Rule;
use crate::prediction::Prediction;

/// A reason, in a word for programs and a sentence for people.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Reason {
    pub(super) code: &'static str,
    pub(super) text: String,
}

impl Reason {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// There is no list at all.
pub(super) fn no_list() -> Reason {
    Reason::new("no_list", "no list has been published yet")
}

/// The image is on the list, but its row is not to be had.
pub(super) fn no_row(problem: &str) -> Reason {
    Reason::new("no_row", format!("its stratum and weight cannot be told: {problem}"))
}

/// What is known of an image that is not on the list.
#[derive(Debug)]
pub(super) struct Case<'a> {
    /// The settings under which the list was made.
    pub(super) rules: &'a Rules,
    /// The list.
    pub(super) commit: &'a EpochCommit,
    /// The epoch of the list before, on which the model was trained that scanned for this one.
    pub(super) before: Option<u32>,
    /// Images of the pool that are not dropped by a person.
    pub(super) candidates: u32,
    /// Whether the list was cut to what the plan still paid for.
    pub(super) cut: bool,
    /// Whether a person has said that it is not to be trained on.
    pub(super) dropped: bool,
    /// Whether its label is probably wrong, and suspects of its class are kept out where suspects are.
    pub(super) suspect: bool,
    /// Whether its image could not be read when it was to be scored last.
    pub(super) unreadable_now: bool,
    /// The image that stands for it.
    pub(super) left_out_for: Option<PathBuf>,
    pub(super) label: u32,
    pub(super) last_trained: Option<u32>,
    pub(super) last_scored: Option<u32>,
    pub(super) answer: Option<Prediction>,
    pub(super) unreadable: Option<&'a str>,
    /// Whether its last answer still held for the list, so that no scan was needed.
    pub(super) fresh: bool,
    /// The probability with which the last scan that it was a candidate of came to it.
    pub(super) inclusion: Option<f32>,
}

impl Case<'_> {
    pub(super) fn reason(&self) -> Reason {
        if self.dropped {
            return Reason::new("dropped", "a person's review says that it is not to be trained on");
        }
        if let Some(kept) = &self.left_out_for {
            let kept = kept.display();
            return Reason::new("near_duplicate", format!("it is nearly the same as {kept}, which stands for it"));
        }
        match (self.rules.policy.as_str(), self.commit.epoch.checked_sub(1)) {
            (_, Some(_)) if self.commit.strata.full > 0 => Reason::new(
                "cut",
                "the list was to train on the whole pool, was cut at random to what the planned work still paid for, and it \
                 fell out",
            ),
            (_, Some(_)) if self.suspect && self.commit.kept_out > 0 => self.suspected(),
            ("confidence", Some(_)) if self.rules.even && self.commit.kept_out > 0 && !self.unreadable_now => {
                self.even()
            }
            (_, None) | ("uniform", _) => self.not_drawn(),
            ("confidence" | "patent", Some(scanned_by)) => self.scanned(scanned_by),
            (policy, _) => unknown(&format!("nothing is known here of the policy {policy}")),
        }
    }

    fn not_drawn(&self) -> Reason {
        let size = self.commit.strata.size().unwrap_or_default();
        let candidates = self.candidates;
        let odds = odds(size as f64 / f64::from(candidates.max(1)));
        Reason::new(
            "not_drawn",
            format!(
                "the list was drawn at random, {size} of {candidates} images, so each with probability {odds}: not this one"
            ),
        )
    }

    fn suspected(&self) -> Reason {
        let kept_out = self.commit.kept_out;
        Reason::new(
            "suspect",
            format!(
                "its label is probably wrong, one of {kept_out} that are kept out; see suspects.csv, and say keep in \
                 reviews.csv if it is right"
            ),
        )
    }

    /// Where suspects are kept out, the list may be drawn from the others at random.
    fn even(&self) -> Reason {
        let (kept_out, size) = (self.commit.kept_out, self.commit.strata.size().unwrap_or_default());
        Reason::new(
            "not_drawn",
            format!("{kept_out} suspects are kept out, and of the others {size} were drawn at random: not this one"),
        )
    }

    /// A policy that scans: was the image a candidate, did the scan come to it, what did the model say?
    fn scanned(&self, scanned_by: u32) -> Reason {
        let by_confidence = self.rules.policy == "confidence";
        let just_trained = self.before.filter(|&before| self.last_trained == Some(before));
        let came = just_trained.is_none() && self.last_scored == Some(scanned_by);
        match (&self.answer, just_trained) {
            (None, _) if came => {
                let reason = self.unreadable.unwrap_or("the ledger does not say why");
                Reason::new("unreadable", format!("the scan could not read it: {reason}"))
            }
            (Some(answer), _) if by_confidence && (came || self.fresh) => self.confidence(answer, came),
            (Some(answer), _) if came => self.patent(answer),
            (_, Some(before)) => {
                let answer = if by_confidence { " and no answer came back from its training" } else { "" };
                Reason::new(
                    "just_trained",
                    format!(
                        "it was no candidate: the list of epoch {before} had it{answer}, and a scan looks only at the others"
                    ),
                )
            }
            _ => self.not_reached(scanned_by),
        }
    }

    fn not_reached(&self, scanned_by: u32) -> Reason {
        let scanned = self.commit.scanned;
        let others = match self.commit.strata.uniform {
            0 => String::new(),
            unseen => format!(", {unseen} others were taken without a look"),
        };
        let came = match self.inclusion {
            Some(0.0) => "it had no chance, the scan ended before its turn came".to_owned(),
            Some(probability) => format!("it would have come with probability {}", odds(f64::from(probability))),
            None => "with which probability it would have come cannot be told".to_owned(),
        };
        Reason::new(
            "not_reached",
            format!(
                "the scan with the model of epoch {scanned_by} looked at {scanned} images and did not come to it{others}; {came}"
            ),
        )
    }

    /// What the scan came to is mined if it is not confidently right, and else a share of it comes along; of images with
    /// an answer from before only so many are taken, evenly, as the quota has room for.
    fn confidence(&self, answer: &Prediction, came: bool) -> Reason {
        let Some(confident) = self.rules.confident else {
            return unknown("the ledger does not say what counts as confident");
        };
        if Rule::NotConfident(confident as f32).finds(answer, self.label) {
            let found = if answer.is_right(self.label) {
                format!("the model was right, but with p(label) {:.4} below {confident}", answer.p_label)
            } else {
                "the model was wrong".to_owned()
            };
            if came {
                return self.left_out(&format!("{found}, so that it was mined"));
            }
            let room = "of images with an answer from before only so many are drawn as mine.quota has room for";
            return if self.cut {
                Reason::new(
                    "no_room_or_cut",
                    format!(
                        "{found}; {room}, and the list was cut to the planned work: which of the two left it out cannot be told"
                    ),
                )
            } else {
                Reason::new("no_room", format!("{found}; {room}, and it was not drawn"))
            };
        }
        let known = format!("the model was confidently right (p(label) {:.4}, {confident} is enough)", answer.p_label);
        // A rare class may have a share of its own.
        let share = match self.rules.share.filter(|_| self.rules.floor == 0.0) {
            Some(share) if share < 1.0 || self.cut || !came => format!("a share of {share}"),
            Some(_) => return unknown(&known),
            None => "a share".to_owned(),
        };
        if self.cut {
            Reason::new(
                "not_drawn_or_cut",
                format!(
                    "{known}: of such images {share} is drawn, and the list was cut to the planned work; which of the two \
                     left it out cannot be told"
                ),
            )
        } else {
            Reason::new("known_not_drawn", format!("{known}: of such images {share} is drawn, and it was not drawn"))
        }
    }

    fn patent(&self, answer: &Prediction) -> Reason {
        let mode = self.rules.mode.as_deref().unwrap_or_default();
        if answer.is_right(self.label) {
            return match mode {
                "thin" => Reason::new("right", "the model was right, and only wrong answers are mined"),
                "expand" | "thin+expand" if self.cut => Reason::new(
                    "right_or_cut",
                    "the model was right; it was not among those that resemble a group of mistakes, or it was and the list \
                     was cut to the planned work: which cannot be told",
                ),
                "expand" | "thin+expand" => Reason::new(
                    "right",
                    "the model was right, and it was not among those that resemble a group of mistakes most",
                ),
                _ => unknown("the ledger does not say what is done with clusters"),
            };
        }
        let mistaken = "the model was wrong, so that it was mined";
        match (mode, self.rules.fraction) {
            ("thin" | "thin+expand", Some(fraction)) if self.cut => Reason::new(
                "thinned_or_cut",
                format!(
                    "{mistaken}; of its cluster {fraction} was kept, and the list was cut to the planned work: which of \
                     the two left it out cannot be told"
                ),
            ),
            ("thin" | "thin+expand", Some(fraction)) if fraction < 1.0 => {
                Reason::new("thinned", format!("{mistaken}; of its cluster {fraction} was kept, and it was not"))
            }
            _ => self.left_out(mistaken),
        }
    }

    /// Mined, and not on the list.
    fn left_out(&self, mined: &str) -> Reason {
        if self.cut {
            Reason::new(
                "cut",
                format!("{mined}; the list was cut to what the planned work still paid for, and it fell out"),
            )
        } else {
            unknown(&format!("{mined}, and yet it is not on the list"))
        }
    }
}

fn unknown(known: &str) -> Reason {
    Reason::new("unknown", format!("{known}; why it is not on the list cannot be told from the state"))
}

/// A probability for people.
pub(super) fn odds(probability: f64) -> String {
    if probability != 0.0 && probability < 0.001 { format!("{probability:.1e}") } else { format!("{probability:.3}") }
}

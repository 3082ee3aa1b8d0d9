//! Suspects: images whose label is probably wrong, and what a person has said of them.
//!
//! A label that is wrong is hard to learn: model after model gives it a low probability, while a hard but right label is
//! believed sooner or later. Where two classes are mixed up, models learn to take a part of the one for the other, and that
//! shows in how many images it happens to. Nothing here changes a label by itself: suspects are listed, and a person's verdict counts.

mod error;
mod evidence;
mod list;
mod reviews;

pub use error::SuspectsError;
pub use evidence::{Doubt, Evidence, Rule, Spared};
pub use list::{HEADER, LIST_FILE, Suspects, publish};
pub use reviews::{REVIEWS_FILE, Reviews, Verdict};

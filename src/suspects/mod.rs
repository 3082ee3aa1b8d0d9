//! Suspects: images whose label is probably wrong, and what a person has said of them.
//!
//! A label that is wrong is hard to learn: model after model gives it a low probability, while a hard but right label is
//! believed sooner or later. Nothing here changes a label by itself: suspects are listed, and a person's verdict counts.

mod error;
mod evidence;
mod list;
mod reviews;

pub use error::SuspectsError;
pub use evidence::{Evidence, Spared};
pub use list::{HEADER, LIST_FILE, Suspects, publish};
pub use reviews::{REVIEWS_FILE, Reviews, Verdict};

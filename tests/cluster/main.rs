//! Groups of similar embeddings, against scikit-learn and against arithmetic.

mod directions;
mod duplicates;
mod epochs;
mod groups;
mod others;
mod points;
mod tables;
mod work;

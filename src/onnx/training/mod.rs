//! What training does to a graph, as far as the graph alone tells it: nothing here runs anything.
//!
//! | file | owns |
//! | --- | --- |
//! | `untie` | giving every layer its own weights where an exporter merged equal ones |
//! | `uses` | which nodes are one layer |
//! | `roles` | which weights train, which are running statistics, which stay, and why |
//! | `rule` | what each node asks of the weights that it reads |
//! | `stored` | which values stand in the model, maybe in another shape |
//! | `weights` | what the numbers of a weight tell of it |
//! | `selection` | which of them a person lets train, and makes train |
//! | `names` | what people call a layer whose weight an exporter has named |
//! | `constants` | weights in Constant nodes, where nothing trains them |
//! | `logits` | the value of which the loss is taken |
//! | `operators` | what the built-in trainer knows |
//! | `report` | what `inspect` prints of all this |
//!
//! # Which weights train
//!
//! A 32-bit float initializer trains if the logits follow from it and it stands at one of these places, by itself or
//! through nodes that compute from it and from constants alone (a transposed weight, a class token that is expanded to
//! the batch, rows that are gathered from a table, a weight that is standardised, also by a `BatchNormalization`; a single number that it
//! meets on the way is a constant of the architecture, and what is compared or rounded has no gradient: both stay):
//!
//! - weight and bias of `Conv`, `ConvTranspose` and `Gemm`, either side of `MatMul` (of two initializers, the right one), what `Einsum` joins to
//!   a value that comes from the image, the bias of `Attention`, scale and bias of `BatchNormalization`, `GroupNormalization`,
//!   `InstanceNormalization`, `LayerNormalization` and `RMSNormalization`, and the slope of `PRelu`;
//! - behind a trained layer: what `Add`, `Sub`, `Mul`, `Div`, `Pow`, `Where` (but not its condition) or `Concat` joins to the
//!   value that comes from the image, if it has more than one element. So biases that stand by themselves, layer scales, class
//!   tokens and embeddings of positions train; what acts on the image before the first trained layer is preprocessing, and a
//!   single number is a constant of the architecture.
//!
//! Masks stay, and are told by their numbers: what is added, subtracted or chosen, or is the bias of `Attention`, and holds
//! nothing but zeros and numbers of 100 and more in size; and what is multiplied, divided by or chosen and holds nothing but
//! zeros and ones; both of them in either case. Integers and truth values, such as an index of relative positions, stay, and
//! so do values in `Constant` nodes.
//!
//! Some things a graph does not tell. What a layer computes from as from an image may be a query that was learned, or a table
//! of coordinates; what acts on the image before the first layer may be learned, too, or the mean of the pixels; a single
//! number may be a learned temperature. All these stay, the report says how many numbers they are, and `train.also` lets them
//! train. The other way about, a fixed kernel that blurs looks like a convolution's weight, and a table of sines that is
//! multiplied like a layer scale: they train unless `train.freeze` keeps them.
//!
//! Weight decay acts on weights of `Conv`, `ConvTranspose`, `Gemm`, `MatMul` and `Einsum` of two or more dimensions, and on nothing else.
//! Mean and variance of `BatchNormalization` follow the batches and are no weights.

mod constants;
mod logits;
mod names;
mod operators;
mod report;
mod roles;
mod rule;
mod selection;
mod stored;
mod untie;
mod uses;
mod weights;

pub use logits::logits;
pub use operators::{OLDEST_OPSET, OPERATORS};
pub use report::TrainingReport;
pub use roles::{Parameter, Reason, Role, parameters};
pub use selection::{Candidate, Selection};
pub use stored::passed_on;
pub use untie::untie;

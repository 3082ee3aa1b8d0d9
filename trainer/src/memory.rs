//! What is said when libtorch's memory does not suffice.

/// libtorch has no kind of its own for this error on a processor: it is known by its words.
const SIGNS: [&str; 3] = ["out of memory", "can't allocate memory", "std::bad_alloc"];

/// Adds to an error of training on so many images what to do about it, if memory has run out.
pub fn explain(error: anyhow::Error, images: usize) -> anyhow::Error {
    let is_sign = |text: &str| SIGNS.iter().any(|sign| text.contains(sign));
    if !error.chain().any(|cause| is_sign(&cause.to_string())) {
        return error;
    }
    error.context(format!(
        "there is not enough memory to train on {images} images at once; nothing was written; lower `train.batch`, and \
         raise `train.accumulate` so that the weights still move by the gradient of as many images"
    ))
}

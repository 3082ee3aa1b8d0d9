//! How many images a forward takes: found by trying.

use std::time::{Duration, Instant};

use super::ScoreError;
use super::graph::Graph;
use super::session::Session;

/// The first size that is tried, and the last.
const SIZES: std::ops::RangeInclusive<u32> = 1..=9;
/// A larger batch must bring this much to be taken: it costs memory, and the end of a scan wastes what is left of it.
const WORTH: f64 = 1.03;
/// Doublings without a gain after which nothing more is tried.
const PATIENCE: u32 = 2;
/// A forward that takes longer is large enough: a signal has to wait for it.
const LONGEST: Duration = Duration::from_millis(400);
/// Tries of each size; the fastest counts, since whatever else the machine does can only slow one down.
const TRIES: usize = 3;

/// The smallest batch at which the session is about as fast as at any: powers of two from 2 to 512 are tried in turn.
///
/// On the processor small batches win, whose values stay in its caches; on a GPU large ones. The figures come from the
/// clock, the results of a scan do not: ONNX Runtime's kernels for the processor give an image the same bits in any
/// batch.
///
/// Errors: a model that does not run even at the smallest size.
pub(super) fn find(session: &mut Session, graph: &Graph) -> Result<usize, ScoreError> {
    let (mut best, mut highest, mut idle) = (0, 0.0, 0);
    for size in SIZES.map(|power| 1usize << power) {
        let pixels = vec![0u8; size * graph.image_bytes()];
        let mut fastest = Duration::MAX;
        for _ in 0..TRIES {
            let start = Instant::now();
            match session.run(&pixels) {
                Ok(_) => fastest = fastest.min(start.elapsed()),
                Err(error) if best == 0 => return Err(error),
                // More than the device's memory holds.
                Err(_) => return Ok(best),
            }
        }
        let rate = size as f64 / fastest.as_secs_f64().max(1e-9);
        if rate > highest * WORTH {
            (best, highest, idle) = (size, rate, 0);
        } else {
            idle += 1;
        }
        if idle >= PATIENCE || fastest > LONGEST {
            break;
        }
    }
    Ok(best)
}

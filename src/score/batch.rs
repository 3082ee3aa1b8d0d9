//! How many images a forward takes: found by trying.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::ScoreError;
use super::graph::Graph;
use super::session::Session;

/// The first size that is tried and the last, as powers of two.
const SIZES: std::ops::RangeInclusive<u32> = 1..=9;
/// A smaller batch that comes so near to the best is better: in a scan it leaves more of the caches to the model than a
/// larger one, which shows with images of 224 pixels, and the end of a scan wastes less.
const NEAR: f64 = 0.97;
/// Doublings without a better rate after which nothing more is tried.
const PATIENCE: usize = 2;
/// A forward that takes longer is large enough: a signal has to wait for it.
const LONGEST: Duration = Duration::from_millis(400);
/// Each size is tried at least so often and for so long. The fastest try counts: what disturbs one only slows it down.
const TRIES: u32 = 3;
const TRYING: Duration = Duration::from_millis(40);

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// On the wall.
    Wall,
    /// In processor time of the calling thread: for a session that has no other. A machine that is busy with something
    /// else does not make short forwards look better than long ones then.
    Thread,
}

impl Clock {
    fn now(self) -> Duration {
        let clock = match self {
            Self::Wall => ClockId::Monotonic,
            Self::Thread => ClockId::ThreadCPUTime,
        };
        clock_gettime(clock).try_into().unwrap_or_default()
    }
}

/// The smallest batch at which the session is about as fast as at any: powers of two from 2 to 512 are tried in turn.
///
/// On the processor small batches win, whose values stay in its caches; on a GPU large ones. The figures come from the
/// clock, the results of a scan do not: ONNX Runtime's kernels for the processor give an image the same bits in any
/// batch.
///
/// Errors: a model that does not run even at the smallest size.
pub(super) fn find(session: &mut Session, graph: &Graph, clock: Clock) -> Result<usize, ScoreError> {
    let mut rates: Vec<(usize, f64)> = Vec::new();
    for size in SIZES.map(|power| 1usize << power) {
        let fastest = match fastest(session, &vec![0u8; size * graph.image_bytes()], clock) {
            Ok(fastest) => fastest,
            Err(error) if rates.is_empty() => return Err(error),
            // More than the device's memory holds.
            Err(_) => break,
        };
        rates.push((size, size as f64 / fastest.as_secs_f64().max(1e-9)));
        let best = rates.iter().rposition(|(_, rate)| *rate >= highest(&rates)).unwrap_or_default();
        if rates.len() - 1 - best >= PATIENCE || fastest > LONGEST {
            break;
        }
    }
    let enough = highest(&rates) * NEAR;
    Ok(rates.iter().find(|(_, rate)| *rate >= enough).map_or(1, |(size, _)| *size))
}

fn highest(rates: &[(usize, f64)]) -> f64 {
    rates.iter().fold(0.0, |highest, (_, rate)| highest.max(*rate))
}

fn fastest(session: &mut Session, pixels: &[u8], clock: Clock) -> Result<Duration, ScoreError> {
    let (start, mut fastest) = (Instant::now(), Duration::MAX);
    let mut tries = 0;
    while tries < TRIES || start.elapsed() < TRYING {
        let begun = clock.now();
        session.run(pixels)?;
        fastest = fastest.min(clock.now().saturating_sub(begun));
        tries += 1;
    }
    Ok(fastest)
}

//! How far a long piece of work is: a bar on a terminal, or a line in the log of a service now and then; and, for the
//! service manager, its status and signs of life.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::systemd;

/// How often a service says how far it is.
const EVERY: Duration = Duration::from_secs(30);
/// How often the service manager is told how far it is.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// Steps between two looks at the clock.
const STRIDE: u64 = 64;

/// All bars that are shown, so that log lines can be written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));

/// A piece of work under way; the bar goes when it is dropped.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: u64,
    done: u64,
    found: u64,
    start: Instant,
    told: Instant,
    stated: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins work on `total` images; `what` says what is done with them, as in "scanning".
    pub fn begin(what: &'static str, total: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = BARS.add(ProgressBar::new(total));
            let style = "{prefix} {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta} left  {msg}";
            bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(what);
            bar
        });
        systemd::status(&format!("{what} {} images", HumanCount(total)));
        let now = Instant::now();
        Self { what, total, done: 0, found: 0, start: now, told: now, stated: now, bar }
    }

    /// One more image is done.
    pub fn step(&mut self) {
        self.done += 1;
        systemd::alive();
        if !self.done.is_multiple_of(STRIDE) {
            return;
        }
        if self.stated.elapsed() >= STATUS_EVERY {
            self.stated = Instant::now();
            let (done, total) = (HumanCount(self.done), HumanCount(self.total));
            systemd::status(&format!("{}: {done} of {total} images, {} found", self.what, HumanCount(self.found)));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            if self.found > 0 {
                bar.set_message(format!("{} found", self.found));
            }
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            let rate = self.done as f64 / self.start.elapsed().as_secs_f64().max(1e-9);
            let Self { what, done, total, found, .. } = self;
            tracing::info!(done, total, found, images_per_s = format_args!("{rate:.0}"), "{what}");
        }
    }

    /// So many images are done, as somebody else counts them; `detail` says more of it on a terminal.
    pub fn reach(&mut self, done: u64, detail: &str) {
        self.done = done;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(detail.to_owned());
        }
    }

    /// One more image was what the work looks for.
    pub fn find(&mut self) {
        self.found += 1;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

/// Standard error for log lines: bars make way for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

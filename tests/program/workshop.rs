//! A folder for one test: lists of real images, a config, a starting graph, and the program running in it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything is waited for before a test gives up: only a fault makes it that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const IMAGES: usize = 100;
const COMMON: &str = "
seed: 3
pool: {train: pool.txt, validation: validation.txt}
pixels: {size: [28, 28], channels: 1, mean: [0.286], std: [0.353]}
model: {start: start.onnx}
";

/// The trainer is somebody else, and a plain copy of a checkpoint is taken soon.
pub(crate) const BY_ITSELF: &str = "trainer: none\ncheckpoint: {quiet: 100ms}\n";

/// Waits until `look` finds something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The first `count` lines of one of Fashion-MNIST's lists, with absolute paths.
pub(crate) fn images(list: &str, count: usize) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/fashion-mnist");
    let text = fs::read_to_string(folder.join(list))
        .unwrap_or_else(|error| panic!("{}: {error}; run make data", folder.join(list).display()));
    let lines: Vec<String> = text.lines().take(count).map(|line| format!("{}/{line}", folder.display())).collect();
    assert_eq!(lines.len(), count, "{list} is too short; run make data");
    lines
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) log: String,
}

impl Said {
    /// Its output, if it ended well.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.log);
        self.out
    }

    /// Its error output, if it ended with exit code 1.
    #[track_caller]
    pub(crate) fn badly(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.log);
        self.log
    }
}

/// A test's own folder.
pub(crate) struct Workshop(tempfile::TempDir);

impl Workshop {
    /// With so many images in the pool; `config` stands behind the part that all tests have in common.
    pub(crate) fn new(pool: usize, config: &str) -> Self {
        let workshop = Self(tempfile::tempdir().unwrap());
        workshop.write("pool.txt", images("pool.txt", pool).join("\n") + "\n");
        workshop.write("validation.txt", images("validation.txt", IMAGES).join("\n") + "\n");
        workshop.write("config.yaml", format!("{COMMON}{config}"));
        workshop.new_graph(10, "start.onnx");
        workshop
    }

    /// A convolutional net with random weights.
    pub(crate) fn new_graph(&self, classes: u32, name: &str) {
        let classes = classes.to_string();
        self.run(&["model", "new", "convnet", "--classes", &classes, "--input", "1x28x28", "-o", name]).well();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Copies a checkpoint into the watched folder, as `cp` does.
    pub(crate) fn drop_in(&self, epoch: u32, graph: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path("watch")).unwrap();
        self.write(&format!("watch/epoch-{epoch:04}.onnx"), graph);
    }

    /// Starts `gleaner` with these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(arguments, &[])
    }

    /// The same with further environment variables.
    pub(crate) fn start_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gleaner"));
        command.args(arguments).current_dir(self.0.path()).env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = Listener::to(child.stdout.take().unwrap());
        let log = Listener::to(child.stderr.take().unwrap());
        Running { child, out, log }
    }

    /// Starts the service.
    pub(crate) fn serve(&self) -> Running {
        self.start(&["run", "-c", "config.yaml"])
    }

    /// Runs `gleaner` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.start(arguments).end()
    }

    /// `gleaner mine` with a checkpoint in the watched folder.
    pub(crate) fn mine(&self, epoch: u32) -> Said {
        self.run(&["mine", "-c", "config.yaml", "--checkpoint", &format!("watch/epoch-{epoch:04}.onnx")])
    }

    /// `gleaner status --json`.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.run(&["status", "--json", "-c", "config.yaml"]).well()).unwrap()
    }

    /// Why checkpoints were rejected, the oldest first.
    pub(crate) fn rejections(&self) -> Vec<String> {
        let status = self.status();
        let rejected = status["rejected"].as_array().unwrap();
        rejected.iter().map(|one| one["reason"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether `lists/next.txt` is the list of this epoch.
    pub(crate) fn next_is(&self, epoch: u32) -> bool {
        let list = fs::read(self.path(&format!("lists/epoch-{epoch:04}.txt")));
        list.is_ok_and(|list| fs::read(self.path("lists/next.txt")).is_ok_and(|next| next == list))
    }
}

/// A program at work; killed if the test ends before it does.
pub(crate) struct Running {
    child: Child,
    out: Listener,
    log: Listener,
}

impl Running {
    /// Waits until `look` finds something; the program must not end before.
    #[track_caller]
    pub(crate) fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait().unwrap();
            if let Some(found) = look() {
                return found;
            }
            if ended.is_some() || Instant::now() > deadline {
                panic!("waited in vain for {what} ({ended:?}):\n{}", self.log.text());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for a piece of text in the log.
    #[track_caller]
    pub(crate) fn until_said(&mut self, text: &str) {
        let log = self.log.clone();
        self.until(text, || log.text().contains(text).then_some(()));
    }

    /// Waits until `lists/next.txt` is the list of this epoch.
    #[track_caller]
    pub(crate) fn until_next(&mut self, workshop: &Workshop, epoch: u32) {
        self.until(&format!("the list of epoch {epoch}"), || workshop.next_is(epoch).then_some(()));
    }

    /// Waits until the program listens for the checkpoint of an epoch: from then on it hears of renames.
    #[track_caller]
    pub(crate) fn until_awaited(&mut self, epoch: u32) {
        self.until_said(&format!("waiting for the checkpoint epoch={epoch} "));
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has logged so far.
    pub(crate) fn said(&self) -> String {
        self.log.text()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "ended before it could be killed:\n{}", self.log.text());
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub(crate) fn stop(self) -> Said {
        let process = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(process, Signal::TERM).unwrap();
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Said {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log.text());
            thread::sleep(Duration::from_millis(5));
        };
        Said { code: status.code(), out: self.out.whole(), log: self.log.whole() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what a program says while it runs.
#[derive(Clone)]
struct Listener {
    text: Arc<Mutex<Vec<u8>>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Listener {
    fn to(mut stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&text);
        let thread = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut chunk) {
                heard.lock().unwrap().extend_from_slice(&chunk[..length]);
            }
        });
        Self { text, thread: Arc::new(Mutex::new(Some(thread))) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// Everything, after the program has ended.
    fn whole(&self) -> String {
        if let Some(thread) = self.thread.lock().unwrap().take() {
            thread.join().unwrap();
        }
        self.text()
    }
}

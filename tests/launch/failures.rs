//! Steps that fail or cannot be started: what is said of them, and when they are tried again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use gleaner::launch::{Backoff, Ending, Job, LaunchError, RunningJob};

use super::steps::{end, failure, shell, words};

#[tokio::test]
async fn a_failure_tells_the_code_and_the_last_lines() {
    let failure = failure(end(shell("echo out; echo err >&2; read line || echo no input; exit 3")).await);
    assert_eq!((failure.ending, failure.tail.clone()), (Ending::Code(3), words(&["out", "err", "no input"])));
    assert_eq!(failure.remedy(), None);
    let text = failure.to_string();
    assert!(text.starts_with("the training step sh ended with exit code 3; its last lines:\n    out\n"), "{text}");
}

#[tokio::test]
async fn being_killed_and_missing_libraries_have_a_remedy() {
    let killed = failure(end(shell("kill -9 $$")).await);
    assert_eq!(killed.ending, Ending::Signal(9));
    assert!(killed.to_string().contains("memory"), "{killed}");
    let missing = failure(end(shell("gleaner-no-such-program")).await);
    assert_eq!(missing.ending, Ending::Code(127));
    assert!(missing.to_string().contains("run `make`"), "{missing}");
    let loader =
        "echo 'x: error while loading shared libraries: libtorch.so: cannot open shared object file' >&2; exit 1";
    assert!(failure(end(shell(loader)).await).to_string().contains("run `make`"));
}

#[tokio::test]
async fn endless_output_neither_blocks_nor_piles_up() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo \"line $i of a training step that likes to talk\"; i=$((i+1)); done; head -c 3000000 /dev/zero; exit 4";
    let failure = failure(end(shell(script)).await);
    assert_eq!((failure.ending, failure.tail.len()), (Ending::Code(4), 20));
    assert_eq!(failure.tail[18], "line 19999 of a training step that likes to talk");
    assert!(failure.tail[19].len() <= 4096);
}

#[tokio::test]
async fn a_program_that_is_not_there_or_is_none_is_named() {
    let start = |program: &Path| RunningJob::start(Job::new(vec![program.into()])).map(drop).unwrap_err();
    let missing = start(Path::new("gleaner-no-such-program"));
    assert!(matches!(missing, LaunchError::Missing { .. }), "{missing}");
    assert!(missing.to_string().starts_with("gleaner-no-such-program: there is no such program"));

    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let plain = start(&script("plain.py", "print(1)\n", 0o644));
    assert!(matches!(&plain, LaunchError::NotExecutable { program, .. } if program.ends_with("plain.py")), "{plain:?}");
    let interpreter = start(&script("odd.py", "#!/no/such/python\n", 0o755));
    assert!(matches!(interpreter, LaunchError::Interpreter { .. }), "{interpreter:?}");
    assert!(matches!(start(&folder.path().join("gone.py")), LaunchError::Missing { .. }));
    assert!(matches!(RunningJob::start(Job::new(Vec::new())), Err(LaunchError::Empty)));
}

#[test]
fn delays_double_up_to_ten_minutes() {
    let delays = |first: u64, attempts: u32| -> Vec<u64> {
        let mut backoff = Backoff::new(Duration::from_secs(first), attempts);
        std::iter::from_fn(|| backoff.next_delay()).map(|delay| delay.as_secs()).collect()
    };
    assert_eq!(delays(5, 4), [5, 10, 20]);
    assert_eq!(delays(200, 5), [200, 400, 600, 600]);
    assert_eq!(delays(3600, 2), [600]);
    assert!(delays(5, 1).is_empty() && delays(5, 0).is_empty());
}

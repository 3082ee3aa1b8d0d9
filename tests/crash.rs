//! The commit of an epoch under `kill -9`: a child process commits epoch after epoch, and is killed at odd moments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use gleaner::digest;
use gleaner::ledger::{Access, EpochCommit, Ledger, Run, Samples, Standing};
use gleaner::lists::{Format, Row, point_next, publish_epoch};

fn run() -> Run {
    let word = |text: &str| text.to_owned();
    Run { seed: 1, policy: word("uniform"), config_digest: word("c"), pool_digest: word("p"), config_text: word("") }
}

fn name(id: u32, path: &mut Vec<u8>) -> u32 {
    path.extend_from_slice(format!("/pool/{id}.png").as_bytes());
    0
}

/// The child of the test below: commits epochs as the service does, until it is killed.
#[test]
#[ignore = "is started by the test below"]
fn a_service_that_will_be_killed() {
    let Ok(folder) = std::env::var("GLEANER_CRASH_FOLDER") else { return };
    let (lists, state) = (Path::new(&folder).join("lists"), Path::new(&folder).join("state"));
    let mut ledger = Ledger::open(&state, Access::Write).unwrap();
    ledger.begin_run(&run()).unwrap();
    gleaner::files::sweep(&lists).unwrap();
    if let Standing::Committed(epoch) = ledger.standing().unwrap() {
        point_next(&lists, epoch.commit.epoch, &[Format::Txt]).unwrap();
    }
    println!("ready");
    io::stdout().flush().unwrap();
    loop {
        let epoch = ledger.last_epoch().unwrap().map_or(0, |last| last.commit.epoch + 1);
        let path = OsString::from(format!("/pool/{epoch}.png"));
        let row = Row {
            path: &path,
            label: epoch,
            stratum: "mined",
            cluster: None,
            predicted: None,
            confidence: None,
            margin: None,
            weight: 1.0,
        };
        let rows = vec![row; 500];
        let published = publish_epoch(&lists, epoch, &[Format::Txt], &[], &rows).unwrap();
        let mut samples = ledger.read_samples(3).unwrap().unwrap_or_else(|| Samples::new(3));
        samples.record_visit(0, epoch);
        let prepared = ledger.prepare_samples(&samples, &mut name).unwrap();
        let commit = EpochCommit { epoch, lists: published.names().collect(), ..EpochCommit::default() };
        ledger.commit_epoch(&commit, &[], Some(prepared)).unwrap();
        point_next(&lists, epoch, &[Format::Txt]).unwrap();
    }
}

#[test]
fn a_service_killed_at_any_moment_goes_on_where_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let (lists, state) = (folder.path().join("lists"), folder.path().join("state"));
    let mut reached = None;
    for turn in 0..24_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_service_that_will_be_killed", "--ignored", "--nocapture"])
            .env("GLEANER_CRASH_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("ready") {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the service did not come up again");
        }
        // Odd steps, so that the blow falls at another point of the commit each time.
        thread::sleep(Duration::from_micros(1_000 + 3_701 * turn));
        assert_eq!(child.try_wait().unwrap(), None, "the service ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();

        let ledger = Ledger::open(&state, Access::Write).unwrap();
        let last = ledger.last_epoch().unwrap();
        let number = last.as_ref().map(|last| last.commit.epoch);
        assert!(number >= reached, "{number:?} after {reached:?}");
        reached = number;
        let visits = ledger.read_samples(3).unwrap().map(|samples| samples.visits[0]);
        assert_eq!(visits, number.map(|number| number + 1), "the samples are those of the last epoch");
        for epoch in ledger.epochs().unwrap() {
            assert_eq!(epoch.commit.lists.len(), 2);
            for (name, digest) in epoch.commit.lists {
                assert_eq!(digest::of_file(&lists.join(&name)).unwrap(), digest, "{name}");
            }
        }
        if let Some(number) = number.filter(|_| lists.join("next.txt").exists()) {
            let next = fs::read_to_string(lists.join("next.txt")).unwrap();
            let pointed: u32 = next.lines().next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
            assert!(
                pointed == number || pointed + 1 == number,
                "next.txt is of epoch {pointed}, the ledger at {number}"
            );
        }
    }
    assert!(reached > Some(10), "the service hardly got anywhere: {reached:?}");
}

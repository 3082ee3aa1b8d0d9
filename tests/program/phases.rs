//! What a service is at, by what it tells its service manager, and what kills it there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::workshop::{PATIENCE, Running, Said, Workshop};

/// A part of a service's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    StartUp,
    Training,
    Loading,
    Validation,
    Scan,
    Cluster,
    Publish,
    /// It has ended, or is about to.
    Over,
}

impl Phase {
    /// Those in which there is something to be broken off.
    pub(crate) const BUSY: [Self; 7] =
        [Self::StartUp, Self::Training, Self::Loading, Self::Validation, Self::Scan, Self::Cluster, Self::Publish];

    /// The phase that begins with this status, if one does.
    fn begun_by(status: &str) -> Option<Self> {
        let beginnings = [
            ("reading ", Self::StartUp),
            ("training ", Self::Training),
            ("loading ", Self::Loading),
            ("validating ", Self::Validation),
            ("scanning ", Self::Scan),
            ("grouping ", Self::Cluster),
            ("publishing ", Self::Publish),
            ("ended ", Self::Over),
            ("failed: ", Self::Over),
        ];
        // How far a training step is comes again and again; that it begins, once: "training epoch 3 on 1,200 images".
        let begins =
            |beginning: &str| status.starts_with(beginning) && (beginning != "training " || status.contains(" on "));
        beginnings.into_iter().find(|(beginning, _)| begins(beginning)).map(|(_, phase)| phase)
    }
}

/// A service whose phases are followed.
pub(crate) struct Followed {
    service: Running,
    socket: PathBuf,
    phases: Receiver<(Phase, Instant)>,
    phase: Phase,
    since: Instant,
    /// How long each phase has lasted at most.
    pub(crate) lasted: BTreeMap<Phase, Duration>,
}

impl Followed {
    pub(crate) fn start(workshop: &Workshop) -> Self {
        let socket = workshop.path("manager");
        let _ = fs::remove_file(&socket);
        let phases = listen(UnixDatagram::bind(&socket).unwrap());
        let variables = [("NOTIFY_SOCKET", socket.to_str().unwrap())];
        let service = workshop.start_with(&["run", "-c", "config.yaml"], &variables);
        Self { service, socket, phases, phase: Phase::StartUp, since: Instant::now(), lasted: BTreeMap::new() }
    }

    /// Waits for the next phase.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Phase {
        let Ok((phase, since)) = self.phases.recv_timeout(PATIENCE) else {
            panic!("{:?} does not come to an end:\n{}", self.phase, self.service.said());
        };
        let lasted = self.lasted.entry(self.phase).or_default();
        *lasted = (*lasted).max(since - self.since);
        (self.phase, self.since) = (phase, since);
        phase
    }

    /// Waits until a phase begins, or until all is over: then it has not begun.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: Phase) -> bool {
        loop {
            match self.next() {
                Phase::Over => return false,
                phase if phase == wanted => return true,
                _ => {}
            }
        }
    }

    /// `kill -9`, and the phase that it broke off; `None` if the service had come to its end by itself, and well.
    #[track_caller]
    pub(crate) fn kill(mut self) -> Option<Phase> {
        kill_process(Pid::from_raw(self.service.id().cast_signed()).unwrap(), Signal::KILL).unwrap();
        let said = self.service.end();
        // What it has told until now comes before this, with which listening ends.
        UnixDatagram::unbound().unwrap().send_to(&[], &self.socket).unwrap();
        self.phase = self.phases.iter().last().map_or(self.phase, |(phase, _)| phase);
        if said.code.is_none() {
            return Some(self.phase);
        }
        said.well();
        None
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Said {
        self.service.end()
    }
}

/// Hears a service out, whoever else is busy, until there is a message of nothing.
fn listen(manager: UnixDatagram) -> Receiver<(Phase, Instant)> {
    let (tell, phases) = mpsc::channel();
    thread::spawn(move || {
        let mut message = [0; 4096];
        while let Ok(length @ 1..) = manager.recv(&mut message) {
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            let status = text.lines().find_map(|line| line.strip_prefix("STATUS="));
            if let Some(phase) = status.and_then(Phase::begun_by) {
                let _ = tell.send((phase, Instant::now()));
            }
        }
    });
    phases
}

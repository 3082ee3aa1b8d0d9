//! What a worker runs its batches with: a session of its own, or the one that a thread owns for all.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use super::ScoreError;
use super::graph::Graph;
use super::session::{Outputs, Session};

/// Batches that wait for a shared session: one in work, one ready behind it.
const AHEAD: usize = 1;

/// Runs batches.
pub(super) enum Engine {
    /// A session on the processor that only this worker uses: no worker ever waits for another.
    Own(Box<Session>),
    /// The session on a GPU, by way of the thread that owns it.
    Shared(SyncSender<Work>),
}

/// A batch on its way to the owner of a session. The pixels come back with the outputs, to be filled anew.
pub(super) struct Work {
    pixels: Vec<u8>,
    reply: Sender<(Vec<u8>, Result<Outputs, ScoreError>)>,
}

impl Engine {
    /// Runs one batch; `pixels` holds a whole batch before and after.
    pub(super) fn run(&mut self, pixels: &mut Vec<u8>, graph: &Graph) -> Result<Outputs, ScoreError> {
        match self {
            Self::Own(session) => session.run(pixels),
            Self::Shared(owner) => {
                let gone = || ScoreError::Thread(graph.checkpoint.clone());
                let (reply, result) = channel();
                owner.send(Work { pixels: std::mem::take(pixels), reply }).map_err(|_| gone())?;
                let (filled, outputs) = result.recv().map_err(|_| gone())?;
                *pixels = filled;
                outputs
            }
        }
    }
}

/// Gives a session to a thread of its own, which ends when the last sender is dropped.
pub(super) fn own(mut session: Session) -> std::io::Result<(SyncSender<Work>, JoinHandle<()>)> {
    let (sender, inbox): (_, Receiver<Work>) = sync_channel(AHEAD);
    let owner = thread::Builder::new().name("onnxruntime".to_owned()).spawn(move || {
        for Work { pixels, reply } in inbox {
            let outputs = session.run(&pixels);
            // A receiver that is gone has broken off the scan.
            let _ = reply.send((pixels, outputs));
        }
    })?;
    Ok((sender, owner))
}

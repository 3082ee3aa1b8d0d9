//! Reading what a step prints.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines kept for the message that tells of a failure.
const LINES_KEPT: usize = 20;
/// Longer lines are cut here, so that output without line ends cannot fill the memory.
const LONGEST_LINE: usize = 4096;

/// The last lines of a step's output.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Reads to the end; every line goes to the log, under the target `trainer`, and the last ones to `tail`.
pub(super) fn forward(mut output: impl Read, tail: &Tail) {
    let mut lines = Lines::default();
    let mut chunk = [0_u8; 8192];
    loop {
        match output.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => lines.take(chunk.get(..length).unwrap_or_default(), &mut |line| tell(line, tail)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::warn!(%error, "the program's output cannot be read any further");
                break;
            }
        }
    }
    lines.finish(&mut |line| tell(line, tail));
}

fn tell(line: String, tail: &Tail) {
    tracing::info!(target: "trainer", "{line}");
    tail.push(line);
}

/// Cuts bytes into lines as a terminal would show them: after a carriage return the line is written anew, so of a
/// progress bar only its last state remains.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    returned: bool,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], emit: &mut impl FnMut(String)) {
        for &byte in bytes {
            match byte {
                b'\n' => self.finish(emit),
                b'\r' => self.returned = true,
                _ => {
                    if std::mem::take(&mut self.returned) {
                        self.line.clear();
                    }
                    if self.line.len() < LONGEST_LINE {
                        self.line.push(byte);
                    }
                }
            }
        }
    }

    fn finish(&mut self, emit: &mut impl FnMut(String)) {
        self.returned = false;
        let text = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        self.line.clear();
        if !text.is_empty() {
            emit(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut told = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.take(chunk, &mut |line| told.push(line));
        }
        lines.finish(&mut |line| told.push(line));
        told
    }

    #[test]
    fn lines_are_cut_as_a_terminal_shows_them() {
        assert_eq!(lines(&[b"one\ntw", b"o\r\nthree"]), ["one", "two", "three"]);
        assert_eq!(lines(&[b" 10%\r 20%\r", b"100%\ndone\n"]), ["100%", "done"]);
        assert_eq!(lines(&[b"bad \xff byte\n\n\n"]), ["bad \u{fffd} byte"]);
        assert_eq!(lines(&[&[b'x'; 10_000]]), ["x".repeat(LONGEST_LINE)]);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let tail = Tail::default();
        let text: String = (1..=50).map(|number| format!("line {number}\n")).collect();
        forward(text.as_bytes(), &tail);
        let expected: Vec<String> = (31..=50).map(|number| format!("line {number}")).collect();
        assert_eq!(tail.lines(), expected);
    }
}

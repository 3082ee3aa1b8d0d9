//! A run in outline: records with made-up numbers, and samples that count their epochs.

use std::path::Path;

use gleaner::ledger::{Access, EpochCommit, Ledger, Run, Samples, Strata};

pub(crate) fn run() -> Run {
    Run {
        seed: u64::MAX,
        policy: "confidence".to_owned(),
        config_digest: "c0".to_owned(),
        pool_digest: "p0".to_owned(),
        config_text: "seed: 1\n".to_owned(),
    }
}

pub(crate) fn commit(epoch: u32) -> EpochCommit {
    EpochCommit {
        epoch,
        lists: vec![
            (format!("epoch-{epoch:04}.csv"), "aa".to_owned()),
            (format!("epoch-{epoch:04}.txt"), "bb".to_owned()),
        ],
        strata: Strata { mined: 70, extra: 30, ..Strata::default() },
        scanned: 500,
        mined: 90,
        clusters: 8,
        skipped: 2,
        suspects: 5,
        kept_out: 3,
        scan_forwards: 5000,
        forward_ratio: 0.17,
        scan_s: 1.5,
        cluster_s: 0.25,
        select_s: 0.125,
        centroids: None,
        reviews: None,
        duplicates: Vec::new(),
    }
}

/// A ledger with a run begun.
pub(crate) fn begun(folder: &Path) -> Ledger {
    let mut ledger = Ledger::open(folder, Access::Write).expect("the ledger takes it");
    ledger.begin_run(&run()).expect("the ledger takes it");
    ledger
}

pub(crate) fn name(id: u32, path: &mut Vec<u8>) -> u32 {
    path.extend_from_slice(format!("/pool/{id}.png").as_bytes());
    0
}

pub(crate) fn visited(times: u32) -> Samples {
    let mut samples = Samples::new(3);
    (0..times).for_each(|epoch| samples.record_visit(0, epoch));
    samples
}

//! A file of scores (Parquet), as a trainer hands it back.
#![no_main]

use gleaner::ledger::read_scores;
use gleaner_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        // The Parquet reader may panic, which is caught and told as an error. What is not caught still ends the target.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| {
        with_file("scores.parquet", bytes, |path| {
            let _ = read_scores(path, &mut |_, score| {
                assert!((0.0..=1.0).contains(&score.p_label) && score.loss.is_finite());
            });
        });
    }
);

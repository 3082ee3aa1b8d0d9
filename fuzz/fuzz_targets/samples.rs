//! The table of what is known of each sample (Parquet), as a crash or a bad disk may leave it.
#![no_main]

use gleaner::ledger::Samples;
use gleaner_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

/// Rows of the seeds.
const ROWS: usize = 5;

fuzz_target!(
    init: {
        // The Parquet reader may panic, which is caught and told as an error. What is not caught still ends the target.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| {
        with_file("samples.parquet", bytes, |path| {
            let Ok(samples) = Samples::read(path, ROWS) else { return };
            // Every column has a value for every sample, or writing it would fail.
            let name = &mut |_, path: &mut Vec<u8>| {
                path.extend_from_slice(b"name");
                0
            };
            samples.write(path, name).expect("a table that was read");
            Samples::read(path, ROWS).expect("a table that was written");
        });
    }
);

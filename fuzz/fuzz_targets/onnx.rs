//! A model from outside: reading it, and every edit that a scan makes before ONNX Runtime sees it.
#![no_main]

use gleaner::onnx::Model;
use gleaner_fuzz::prepare_for_scan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = Model::from_bytes(bytes) {
        prepare_for_scan(model);
    }
});

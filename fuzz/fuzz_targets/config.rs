//! A config: whatever loads is, written out, the same config again.
#![no_main]

use gleaner::config::Config;
use gleaner_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file("config.yaml", bytes, |path| {
        let Ok(config) = Config::load(path, &[]) else { return };
        let written = config.canonical().expect("a config that was read has UTF-8 paths");
        std::fs::write(path, written).expect("a temporary file");
        assert_eq!(Config::load(path, &[]).expect("a config that was written"), config);
    });
});

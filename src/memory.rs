//! How much memory there is, as the system tells it.

use std::fs;

/// Memory that programs can have without swapping, in bytes, where the system tells.
pub fn available() -> Option<u64> {
    amount("/proc/meminfo", "MemAvailable:")
}

/// What this process has for data of its own, in bytes, where the system tells.
pub fn of_this_process() -> Option<u64> {
    amount("/proc/self/status", "VmData:")
}

fn amount(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

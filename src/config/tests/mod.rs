//! Configs written by hand, good and bad, and what is said of them.

mod bad;
mod good;
mod pixels;
mod reload;
mod train;

use super::*;

const LEAST: &str = "\
pool: {train: a.txt, validation: b.txt}
pixels: {size: [28, 32]}
model: {start: m.onnx}
";

fn load(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.yaml");
    std::fs::write(&path, text).unwrap();
    let overrides: Vec<_> = overrides.iter().map(|text| text.to_string()).collect();
    Config::load(&path, &overrides).map_err(|mut error| {
        let place = path.display().to_string();
        for problem in &mut error.problems {
            problem.place = problem.place.replace(&place, "c.yaml");
        }
        error
    })
}

/// What is said of a config, line by line.
fn said(text: &str, overrides: &[&str]) -> Vec<String> {
    match load(text, overrides) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

/// What is said when one line is added to a good config, without its fixed place.
fn said_of(line: &str) -> Vec<String> {
    said(&format!("{LEAST}{line}\n"), &[])
}

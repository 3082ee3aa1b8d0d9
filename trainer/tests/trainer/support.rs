//! A small pool on disk, and the program that trains on it.

use gleaner::onnx::Model;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tch::Device;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_gleaner-trainer");

/// Where the engine finds libtorch in tests.
pub const LIBTORCH: &str = env!("GLEANER_BUILT_AGAINST");

/// Where the trainer computes: on a GPU, if there is one.
pub fn device() -> Device {
    gleaner_trainer::device::choose()
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A folder with images, a config, manifests and checkpoints.
pub struct Run {
    folder: tempfile::TempDir,
}

impl Run {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = Self { folder };
        std::fs::create_dir(run.path("data")).unwrap();
        std::fs::write(run.path("data/pool.txt"), "").unwrap();
        run
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn image(&self, name: &str, width: u32, height: u32, pixels: &[u8]) {
        let image = image::GrayImage::from_raw(width, height, pixels.to_vec()).unwrap();
        image.save(self.path("data").join(name)).unwrap();
    }

    /// Pixels are not shifted and not scaled but by 255, so that levels 0 and 255 become 0 and 1.
    pub fn config(&self, side: u32, train: &str) {
        self.config_of(1, side as usize, train);
    }

    /// The same with so many channels.
    pub fn config_of(&self, channels: usize, side: usize, train: &str) {
        let (mean, std) = (vec![0.0; channels], vec![1.0; channels]);
        let text = format!(
            "pool: {{train: {0}/data/pool.txt, validation: {0}/data/validation.txt}}\n\
             pixels: {{size: [{side}, {side}], channels: {channels}, mean: {mean:?}, std: {std:?}}}\n\
             model: {{start: {0}/start.onnx}}\n\
             train: {{{train}}}\n",
            self.folder.path().display()
        );
        std::fs::write(self.path("config.yaml"), text).unwrap();
    }

    /// A manifest of (file, label, weight).
    pub fn manifest(&self, samples: &[(&str, u32, f32)]) {
        let mut text = "order,path,label,stratum,cluster,predicted,confidence,margin,weight\n".to_owned();
        for (order, (file, label, weight)) in samples.iter().enumerate() {
            text.push_str(&format!("{order},{file},{label},initial,,,,,{weight}\n"));
        }
        std::fs::write(self.path("manifest.csv"), text).unwrap();
    }

    pub fn start(&self, fixture: &str) {
        std::fs::copy(fixtures().join(fixture), self.path("start.onnx")).unwrap();
    }

    pub fn step(&self, from: &str, to: &str, epoch: u32, more: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.env("GLEANER_LIBTORCH", LIBTORCH).env_remove("GLEANER_REPORT").env_remove("GLEANER_PROGRESS");
        command.arg("step").arg("--config").arg(self.path("config.yaml"));
        command.arg("--manifest").arg(self.path("manifest.csv"));
        command.arg("--checkpoint-in").arg(self.path(from)).arg("--checkpoint-out").arg(self.path(to));
        command.args(["--epoch", &epoch.to_string(), "--seed", "1"]).args(more);
        command.output().unwrap()
    }

    /// A step that must succeed; what it said on the standard error.
    pub fn trained(&self, from: &str, to: &str, epoch: u32, more: &[&str]) -> String {
        let output = self.step(from, to, epoch, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    }

    /// A step that must fail and write nothing; what it said on the standard error.
    pub fn failed(&self, from: &str, more: &[&str]) -> String {
        let output = self.step(from, "out.onnx", 1, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!self.path("out.onnx").exists());
        said
    }

    pub fn weights(&self, checkpoint: &str, name: &str) -> Vec<f32> {
        Model::read(&self.path(checkpoint)).unwrap().tensor(name).unwrap().f32().unwrap().to_vec()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }
}

#[track_caller]
pub fn assert_near(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{found:?} instead of {expected:?}");
    for (index, (&found_one, &expected_one)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(found_one) - expected_one).abs();
        assert!(difference <= tolerance, "entry {index}: {found:?} instead of {expected:?}");
    }
}

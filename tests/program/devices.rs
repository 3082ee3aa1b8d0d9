//! Where a checkpoint runs: what is asked for is used or refused aloud, and never the checkpoint's fault.

use super::graphs::skilled;
use super::workshop::{BY_ITSELF, Workshop};

fn workshop(score: &str) -> Workshop {
    let workshop = Workshop::new(300, &format!("{BY_ITSELF}score: {{{score}}}\n"));
    workshop.drop_in(0, skilled());
    workshop
}

/// The GPU build of ONNX Runtime is staged, so that `cuda` may well work.
fn has_gpu_build() -> bool {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime/onnxruntime");
    folder.join("libonnxruntime_providers_cuda.so").exists()
}

#[test]
fn auto_says_what_it_took() {
    let said = workshop("device: auto").mine(0);
    assert_eq!(said.code, Some(0), "{}", said.log);
    assert!(said.log.contains("loaded provider=c"), "cpu or cuda: {}", said.log);
}

#[test]
fn a_device_that_is_not_there_is_an_error_and_the_checkpoint_stays() {
    if has_gpu_build() {
        eprintln!("SKIPPED: the GPU build of ONNX Runtime is staged");
        return;
    }
    for device in ["cuda", "tensorrt"] {
        let workshop = workshop(&format!("device: {device}"));
        let log = workshop.mine(0).badly();
        assert!(log.contains(&format!("score.device: {device} cannot be used: ")), "{log}");
        assert!(log.contains("make RUNTIME=cuda") && log.contains("device: cpu"), "{log}");
        assert!(workshop.path("watch/epoch-0000.onnx").exists(), "not rejected");
        assert_eq!(workshop.rejections(), [""; 0]);
    }
}

#[test]
fn half_precision_is_left_to_gpus() {
    if has_gpu_build() {
        eprintln!("SKIPPED: the GPU build of ONNX Runtime is staged");
        return;
    }
    let workshop = workshop("threads: 1");
    let scores = ["fp32", "fp16"].map(|precision| {
        let set = format!("score.precision={precision}");
        let arguments = ["score", "-c", "config.yaml", "--set", &set, "--checkpoint", "watch/epoch-0000.onnx"];
        let said = workshop.run(&[&arguments[..], &["--list", "pool.txt", "-o", "scores.parquet"]].concat());
        assert_eq!(said.log.contains("fp16 is for GPUs"), precision == "fp16", "{}", said.log);
        said.well();
        workshop.bytes("scores.parquet")
    });
    assert!(scores[0] == scores[1]);
}

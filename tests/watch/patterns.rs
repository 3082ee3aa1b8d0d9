//! Names that are those of checkpoints, and patterns that name none.

use std::ffi::OsStr;

use gleaner::watch::{Pattern, PatternError};

#[test]
fn a_pattern_finds_the_epoch_with_and_without_zeros() {
    let pattern = Pattern::parse("epoch-{epoch}.onnx").unwrap();
    let epoch_of = |name: &str| pattern.epoch_of(OsStr::new(name));
    assert_eq!(epoch_of("epoch-0007.onnx"), Some(7));
    assert_eq!(epoch_of("epoch-7.onnx"), Some(7));
    assert_eq!(epoch_of("epoch-0.onnx"), Some(0));
    assert_eq!(epoch_of("epoch-00000000000000007.onnx"), Some(7));
    assert_eq!(epoch_of("epoch-4294967295.onnx"), Some(u32::MAX));
    for name in [
        "epoch-4294967296.onnx",
        "epoch-.onnx",
        "epoch-+7.onnx",
        "epoch--7.onnx",
        "epoch-7.onnx.data",
        "epoch-7.onnx.tmp",
        "Epoch-7.onnx",
        "my-epoch-7.onnx",
        "epoch-7",
        "epoch-seven.onnx",
        "epoch-\u{0667}.onnx",
        "",
    ] {
        assert_eq!(epoch_of(name), None, "{name}");
    }
    assert_eq!(pattern.name(7), "epoch-0007.onnx");
    assert_eq!(pattern.name(12345), "epoch-12345.onnx");
    assert_eq!(pattern.to_string(), "epoch-{epoch}.onnx");
    // Where the text around leaves less than nothing for the number.
    assert_eq!(Pattern::parse("aa{epoch}aa").unwrap().epoch_of(OsStr::new("aaa")), None);
}

#[test]
fn a_pattern_that_cannot_name_checkpoints_is_refused() {
    let refused = |text: &str| Pattern::parse(text).unwrap_err();
    assert!(matches!(refused("last.onnx"), PatternError::NoEpoch(_)));
    assert!(matches!(refused("{epoch}-{epoch}.onnx"), PatternError::ManyEpochs(_)));
    assert!(matches!(refused("run/epoch-{epoch}.onnx"), PatternError::Folder(_)));
    assert!(matches!(refused("{run}-{epoch}.onnx"), PatternError::Braces(_)));
    assert!(matches!(refused(".epoch-{epoch}.onnx"), PatternError::Hidden(_)));
    assert!(refused("last.onnx").to_string().contains("write \"epoch-{epoch}.onnx\""));
}

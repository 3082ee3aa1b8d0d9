//! The doorstep: help without libtorch, and words where something is missing.

use crate::support::{LIBTORCH, PROGRAM};
use std::path::Path;
use std::process::{Command, Output};

const FORWARD: [&str; 6] = ["forward", "no-such.onnx", "--input", "image=no-such.npy", "-o", "nowhere"];

fn start(program: &Path, libtorch: Option<&Path>, arguments: &[&str]) -> (Output, String) {
    let mut command = Command::new(program);
    command.args(arguments).env_remove("GLEANER_LIBTORCH").env_remove("LD_LIBRARY_PATH");
    if let Some(folder) = libtorch {
        command.env("GLEANER_LIBTORCH", folder);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

/// The two programs alone in a folder, as far from libtorch as can be.
fn alone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    for name in ["gleaner-trainer", "gleaner-trainer-engine"] {
        std::fs::copy(Path::new(PROGRAM).with_file_name(name), folder.path().join("bin").join(name)).unwrap();
    }
    folder
}

#[test]
fn help_and_version_need_no_libtorch() {
    let folder = alone();
    let program = folder.path().join("bin/gleaner-trainer");
    let (help, _) = start(&program, None, &["step", "--help"]);
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("--checkpoint-out"));
    let (version, _) = start(&program, None, &["--version"]);
    assert_eq!(String::from_utf8_lossy(&version.stdout).trim(), concat!("gleaner-trainer ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_exits_with_2() {
    let (output, _) = start(Path::new(PROGRAM), None, &["step", "--epoch", "three"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn where_libtorch_is_missing_the_message_says_where_it_was_sought() {
    let folder = alone();
    let program = folder.path().join("bin/gleaner-trainer");
    let (output, said) = start(&program, None, &FORWARD);
    assert_eq!(output.status.code(), Some(1));
    let above = folder.path().join("runtime/libtorch/lib");
    for part in ["libtorch_cpu.so", &above.to_string_lossy(), "lib/gleaner/libtorch/lib", "`make`", "GLEANER_LIBTORCH"]
    {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    let named = folder.path().join("elsewhere");
    let (_, said) = start(&program, Some(&named), &FORWARD);
    assert!(said.contains(&*named.to_string_lossy()) && !said.contains("runtime/libtorch"), "{said}");
}

#[test]
fn missing_libraries_are_named() {
    let folder = alone();
    let libraries = folder.path().join("lib/gleaner/libtorch/lib");
    std::fs::create_dir_all(&libraries).unwrap();
    for entry in std::fs::read_dir(LIBTORCH).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if !["libgomp.so.1", "libcudart.so.13"].contains(&&*name.to_string_lossy()) {
            std::os::unix::fs::symlink(entry.path(), libraries.join(name)).unwrap();
        }
    }
    let (output, said) = start(&folder.path().join("bin/gleaner-trainer"), None, &FORWARD);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("libgomp.so.1") && said.contains(&*libraries.to_string_lossy()), "{said}");
}

#[test]
fn a_missing_engine_is_named() {
    let folder = alone();
    std::fs::remove_file(folder.path().join("bin/gleaner-trainer-engine")).unwrap();
    let (output, said) = start(&folder.path().join("bin/gleaner-trainer"), Some(Path::new(LIBTORCH)), &FORWARD);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("gleaner-trainer-engine: not found"), "{said}");
}

#[test]
fn libtorch_under_the_same_prefix_is_found() {
    let folder = alone();
    let libraries = folder.path().join("lib/gleaner/libtorch");
    std::fs::create_dir_all(&libraries).unwrap();
    std::os::unix::fs::symlink(LIBTORCH, libraries.join("lib")).unwrap();
    let (output, said) = start(&folder.path().join("bin/gleaner-trainer"), None, &FORWARD);
    // The engine speaks: it is the model that is missing.
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("no-such.onnx"), "{said}");
}

#[test]
fn the_engine_is_told_how_to_wait_unless_the_person_says_it() {
    let folder = alone();
    // An engine that tells what it was given.
    let engine = folder.path().join("bin/gleaner-trainer-engine");
    std::fs::write(&engine, "#!/bin/sh\nenv\n").unwrap();
    let told = |own: &[(&str, &str)]| -> Vec<String> {
        let mut command = Command::new(folder.path().join("bin/gleaner-trainer"));
        command.args(FORWARD).env("GLEANER_LIBTORCH", LIBTORCH);
        for name in ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_"] {
            command.env_remove(name);
        }
        let output = command.envs(own.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let ours = |line: &&str| ["GOMP_", "OMP_", "MALLOC_"].iter().any(|part| line.starts_with(part));
        let mut lines: Vec<String> = text.lines().filter(ours).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let kept = ["MALLOC_MMAP_MAX_=0", "MALLOC_TRIM_THRESHOLD_=17179869184"];
    assert_eq!(told(&[]), [&["GOMP_SPINCOUNT=10000"], &kept[..]].concat());
    assert_eq!(told(&[("GOMP_SPINCOUNT", "5")]), [&["GOMP_SPINCOUNT=5"], &kept[..]].concat());
    // A spin count would overrule it.
    assert_eq!(told(&[("OMP_WAIT_POLICY", "active")]), [&kept[..], &["OMP_WAIT_POLICY=active"]].concat());
    assert_eq!(told(&[("MALLOC_MMAP_MAX_", "9")])[1..], ["MALLOC_MMAP_MAX_=9", kept[1]]);
}

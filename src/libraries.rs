//! Where the native libraries are.
//!
//! `make` stages them under `runtime/` in the source tree, an installation puts them under `lib/gleaner/` beside `bin/`.
//! Neither needs an environment variable; one is honoured first where somebody sets it.

use std::env;
use std::path::{Path, PathBuf};

/// A native library that this program loads while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Library {
    /// What people call it.
    pub name: &'static str,
    /// The folder it stands in, below `runtime/` or `lib/gleaner/`.
    pub folder: &'static str,
    /// The file that must be there.
    pub file: &'static str,
    /// The environment variable that names the file or its folder.
    pub variable: &'static str,
}

/// ONNX Runtime, which scores.
pub const ONNX_RUNTIME: Library =
    Library { name: "ONNX Runtime", folder: "onnxruntime", file: "libonnxruntime.so", variable: "GLEANER_ONNXRUNTIME" };

/// libtorch, which trains.
pub const LIBTORCH: Library =
    Library { name: "libtorch", folder: "libtorch/lib", file: "libtorch_cpu.so", variable: "GLEANER_LIBTORCH" };

/// A library is nowhere to be found.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} ({}) was not found; looked for {}; run `make` in gleaner's source folder, or set {} to its folder",
    .library.name, .library.file, list(.looked_at), .library.variable
)]
pub struct LibraryMissing {
    /// What was looked for.
    pub library: Library,
    /// Every place that was looked at, in order.
    pub looked_at: Vec<PathBuf>,
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The path of a library's file: the environment variable first, then `lib/gleaner/` beside the folder of this
/// executable, then `runtime/` in any folder above it.
pub fn find(library: Library) -> Result<PathBuf, LibraryMissing> {
    let looked_at = places(library, env::var_os(library.variable).map(PathBuf::from), env::current_exe().ok());
    match looked_at.iter().find(|path| path.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(LibraryMissing { library, looked_at }),
    }
}

fn places(library: Library, variable: Option<PathBuf>, executable: Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(given) = variable {
        // Somebody who names a place wants that one, not another that happens to be there.
        let is_file = given.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
        return vec![if is_file { given } else { given.join(library.file) }];
    }
    let Some(folder) = executable.as_deref().and_then(Path::parent) else { return Vec::new() };
    let installed = folder.join("../lib/gleaner").join(library.folder).join(library.file);
    let staged =
        folder.ancestors().skip(1).take(4).map(|above| above.join("runtime").join(library.folder).join(library.file));
    std::iter::once(installed).chain(staged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_decides_alone() {
        let found = places(ONNX_RUNTIME, Some("/opt/ort".into()), Some("/x/target/release/gleaner".into()));
        assert_eq!(found, [PathBuf::from("/opt/ort/libonnxruntime.so")]);
        let found = places(ONNX_RUNTIME, Some("/opt/libonnxruntime.so.1.31.1".into()), None);
        assert_eq!(found, [PathBuf::from("/opt/libonnxruntime.so.1.31.1")]);
    }

    #[test]
    fn the_staged_folder_is_found_from_where_cargo_builds() {
        let staged = PathBuf::from("/x/runtime/onnxruntime/libonnxruntime.so");
        for executable in ["/x/target/release/gleaner", "/x/target/release/deps/tests-0123"] {
            assert!(places(ONNX_RUNTIME, None, Some(executable.into())).contains(&staged), "{executable}");
        }
    }

    #[test]
    fn a_missing_library_says_where_it_looked_and_what_to_do() {
        let missing = LibraryMissing { library: LIBTORCH, looked_at: vec!["/a/b.so".into(), "/c/d.so".into()] };
        let message = missing.to_string();
        for part in ["libtorch_cpu.so", "/a/b.so, /c/d.so", "run `make`", "GLEANER_LIBTORCH"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

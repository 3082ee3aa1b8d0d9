//! Tells the integration tests where libtorch stands. The binaries carry no such path: `gleaner-trainer` looks for
//! libtorch when it starts.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-changed=build.rs");
    let Some(libtorch) = std::env::var_os("LIBTORCH") else { return };
    let library = PathBuf::from(libtorch).join("lib");
    let library = library.canonicalize().unwrap_or(library);
    println!("cargo::rustc-env=GLEANER_BUILT_AGAINST={}", library.display());
    println!("cargo::rustc-link-arg-tests=-Wl,-rpath,{}", library.display());
}

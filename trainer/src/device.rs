//! Where the training runs: on the processor, or on a GPU if libtorch finds one.

use std::ffi::{CStr, c_char, c_int, c_void};
use tch::Device;

const CUDA_LIBRARY: &CStr = c"libtorch_cuda.so";
/// `RTLD_NOW | RTLD_GLOBAL` on Linux.
const NOW_AND_GLOBAL: c_int = 0x2 | 0x100;

#[allow(unsafe_code)]
unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

/// The first GPU, or the processor where libtorch has no GPU libraries or finds no GPU.
///
/// The engine is linked against libtorch's processor part alone, so that one build serves every machine; its GPU part
/// registers itself when it is loaded, which must happen before libtorch is used.
#[allow(unsafe_code)] // Loading a library by hand has no safe form.
pub fn choose() -> Device {
    // SAFETY: both functions are the C library's own, with its signatures; the name ends with a zero, the text that
    // `dlerror` returns is copied before any other call, and the library stays loaded until the process ends.
    let complaint = unsafe {
        if dlopen(CUDA_LIBRARY.as_ptr(), NOW_AND_GLOBAL).is_null() {
            let text = dlerror();
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        } else {
            None
        }
    };
    // That the library itself is absent is the usual case of a machine without a GPU; anything else is worth telling.
    if let Some(text) = complaint.filter(|text| !text.starts_with("libtorch_cuda.so: cannot open")) {
        eprintln!("note: training on the processor, because libtorch's GPU part cannot be loaded: {text}");
    }
    Device::cuda_if_available()
}

/// Makes libtorch's results the same for the same seed and number of threads.
pub fn settle(threads: usize, seed: u64) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    tch::Cuda::cudnn_set_benchmark(false);
    tch::manual_seed(seed.cast_signed());
}

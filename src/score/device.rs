//! Where the arithmetic happens: ONNX Runtime's execution providers.

use std::fmt;
use std::path::Path;

use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProviderDispatch, TensorRT};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::ScoreError;

/// Where scoring is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// On an NVIDIA GPU if ONNX Runtime can use one, on the processor otherwise.
    #[default]
    Auto,
    /// On the processor.
    Cpu,
    /// On an NVIDIA GPU, by CUDA and cuDNN.
    Cuda,
    /// On an NVIDIA GPU, by TensorRT, which compiles the graph; what it does not know runs by CUDA.
    TensorRt,
}

/// What ONNX Runtime runs a checkpoint with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The processor.
    Cpu,
    /// CUDA and cuDNN.
    Cuda,
    /// TensorRT.
    TensorRt,
}

impl Provider {
    /// Whether it is a graphics processor: one session serves all, and copying to it costs time.
    pub fn is_gpu(self) -> bool {
        self != Self::Cpu
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        })
    }
}

impl Device {
    /// The providers to try, the best first. Only `auto` has a second choice: who names a device wants that one.
    pub(super) fn providers(self) -> &'static [Provider] {
        match self {
            Self::Auto => &[Provider::Cuda, Provider::Cpu],
            Self::Cpu => &[Provider::Cpu],
            Self::Cuda => &[Provider::Cuda],
            Self::TensorRt => &[Provider::TensorRt],
        }
    }
}

/// How sessions are built.
#[derive(Clone, Debug)]
pub(super) struct Build<'a> {
    pub(super) environment: &'a Environment,
    pub(super) provider: Provider,
    /// Threads of one run on the processor.
    pub(super) threads: usize,
    /// Whether numbers are half as wide.
    pub(super) half: bool,
    /// Where TensorRT keeps what it has measured of its kernels.
    pub(super) timings: Option<&'a Path>,
}

impl Build<'_> {
    /// The settings of a session.
    ///
    /// Spinning is off because a scan shares its cores with decoding, and the machine with a trainer.
    ///
    /// Errors: [`ScoreError::Provider`], where ONNX Runtime by itself would quietly take the processor.
    pub(super) fn session(&self) -> Result<SessionBuilder, ScoreError> {
        let failed = |error: ort::Error| ScoreError::Provider { provider: self.provider, reason: error.to_string() };
        let builder = self.plain().map_err(failed)?;
        let providers = match self.provider {
            Provider::Cpu => return Ok(builder),
            Provider::Cuda => vec![self.cuda()],
            Provider::TensorRt => vec![self.tensorrt(), self.cuda()],
        };
        builder.with_execution_providers(providers).map_err(|error| failed(error.into()))
    }

    fn plain(&self) -> Result<SessionBuilder, ort::Error> {
        Ok(Session::builder(self.environment)?
            .with_optimization_level(GraphOptimizationLevel::Level3)?
            .with_intra_threads(self.threads)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?)
    }

    fn cuda(&self) -> ExecutionProviderDispatch {
        CUDA::default().with_tf32(self.half).build().error_on_failure()
    }

    /// The timings of kernels hold for every checkpoint of a graph and are kept. A compiled engine holds the weights it
    /// was made with: it is never kept, so that no checkpoint can be judged by the weights of another.
    fn tensorrt(&self) -> ExecutionProviderDispatch {
        let provider = TensorRT::default().with_engine_cache(false).with_fp16(self.half);
        let provider = match self.timings {
            Some(folder) => provider.with_timing_cache(true).with_timing_cache_path(folder.display()),
            None => provider,
        };
        provider.build().error_on_failure()
    }
}

//! Settings that are one word out of a few.

use serde::Serialize;
use std::fmt;

/// A setting that is one word out of a few.
pub trait Word: Copy + PartialEq + 'static {
    /// Every word, with what it means.
    const ALL: &'static [(&'static str, Self)];

    /// The word as it stands in a config.
    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, meaning)| *meaning == self).map_or("", |(word, _)| word)
    }
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $word)] $variant),+
        }

        impl Word for $name {
            const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// How the next subset is chosen.
    Policy {
        /// Skip what is already known: train on all that is not confidently right, and on a weighted share of the rest.
        Confidence = "confidence",
        /// The published method to the letter: mistakes only, aggregated by similarity.
        Patent = "patent",
        /// A fresh random subset each epoch: the control.
        Uniform = "uniform",
    }
}

words! {
    /// Where symbolic links in the pool may lead.
    Links {
        /// To where the pool itself is: the folder of classes, or that of the list.
        Inside = "inside",
        /// To wherever they do.
        Anywhere = "anywhere",
    }
}

words! {
    /// How the folder of checkpoints is watched.
    Watch {
        /// By the events of the operating system, with `checkpoint.poll` behind them.
        Native = "native",
        /// By looking every `checkpoint.poll`, for file systems that tell nothing of what other machines write.
        Poll = "poll",
    }
}

words! {
    /// The filter that changes the size of an image.
    Resize {
        /// Triangle filter.
        Bilinear = "bilinear",
        /// Cubic filter with a = -0.5.
        Bicubic = "bicubic",
        /// Lanczos filter with three lobes.
        Lanczos = "lanczos",
        /// The nearest pixel.
        Nearest = "nearest",
    }
}

words! {
    /// Which part of an image is taken.
    Crop {
        /// The middle, at the target's aspect ratio.
        Center = "center",
        /// All of it, stretched to the target's size.
        None = "none",
    }
}

words! {
    /// Which augmentation the scan applies before it judges an image.
    ScanAugment {
        /// None: the image as validation sees it.
        None = "none",
        /// The training augmentation: one reading of the published "random increment".
        Train = "train",
    }
}

words! {
    /// How the rest is chosen where suspects are kept out.
    Others {
        /// As ever: what is not confidently right, and a share of the rest.
        Confidence = "confidence",
        /// At random.
        Even = "even",
    }
}

words! {
    /// What a cluster of mined images leads to.
    ClusterMode {
        /// Keep a share of each cluster.
        Thin = "thin",
        /// Keep the cluster and add similar images of the pool.
        Expand = "expand",
        /// Keep a share, then add similar images.
        ThinExpand = "thin+expand",
    }
}

words! {
    /// How alike two embeddings are.
    ClusterDistance {
        /// By the straight line between them.
        Euclidean = "euclidean",
        /// By the angle between them, whatever their lengths.
        Cosine = "cosine",
    }
}

words! {
    /// A format in which a subset is published.
    ListFormat {
        /// `path label` lines.
        Txt = "txt",
        /// The manifest; it is always written.
        Csv = "csv",
        /// One path a line.
        Paths = "paths",
        /// One JSON object a line.
        Jsonl = "jsonl",
        /// A folder of symbolic links, one sub-folder a class.
        Tree = "tree",
    }
}

words! {
    /// How paths are written in lists.
    ListPaths {
        /// Absolute, so that a list works from any folder.
        Absolute = "absolute",
        /// As the pool's list has them.
        Listed = "listed",
    }
}

words! {
    /// Where checkpoints are run.
    Device {
        /// An NVIDIA GPU if one can be used, else the processor.
        Auto = "auto",
        /// The processor.
        Cpu = "cpu",
        /// An NVIDIA GPU, by CUDA.
        Cuda = "cuda",
        /// An NVIDIA GPU, by TensorRT.
        TensorRt = "tensorrt",
    }
}

words! {
    /// How wide the numbers are that convolutions and matrix products are trained with.
    TrainPrecision {
        /// 32 bits.
        Fp32 = "fp32",
        /// 16 bits, 8 of them the exponent (bfloat16).
        Bf16 = "bf16",
    }
}

words! {
    /// How wide the numbers are that a checkpoint is run with.
    Precision {
        /// 32 bits.
        Fp32 = "fp32",
        /// 16 bits.
        Fp16 = "fp16",
    }
}

words! {
    /// How a gradient moves the weights.
    OptimiserKind {
        /// Stochastic gradient descent.
        Sgd = "sgd",
        /// Adam with decoupled weight decay.
        AdamW = "adamw",
    }
}

words! {
    /// The course of the learning rate.
    ScheduleKind {
        /// Falls to zero along a cosine.
        Cosine = "cosine",
        /// Stays.
        Constant = "constant",
        /// Falls at milestones.
        Step = "step",
        /// Rises and falls once.
        OneCycle = "one-cycle",
    }
}

//! `gleaner model`: starting graphs, what a graph takes and gives, and other classes for it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use crate::config::Config;
use crate::onnx::start::{self, Stem};
use crate::onnx::training::{Selection, TrainingReport};
use crate::onnx::{Classifier, Model, Problem, Report, replace_head};
use crate::settings;

/// Arguments of `gleaner model`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Write a starting graph with random weights
    New(New),
    /// Say what a graph takes and gives, where its embedding is, and which of its weights the built-in trainer trains
    ///
    /// The names of the weights are what the patterns of `train.freeze` and `train.only` are matched with.
    Inspect(Inspect),
    /// Replace the last layer of a graph by a new one for other classes, to go on from what it has learnt elsewhere
    ///
    /// The last Gemm, MatMul or 1x1 Conv gets so many outputs, and its weight and bias are drawn evenly from ±1/sqrt(inputs), as
    /// PyTorch draws them. A Softmax behind it stays, and so does everything before it.
    Head(Head),
}

#[derive(Args, Debug)]
struct New {
    /// Which network
    network: Network,
    /// How many classes it tells apart
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
    classes: u32,
    /// The image it takes: channels x height x width
    #[arg(long, value_name = "CxHxW", value_parser = input)]
    input: [usize; 3],
    /// The seed of its weights
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How resnet18 begins; by itself: small below 64 pixels, imagenet from there on
    #[arg(long)]
    stem: Option<StemName>,
    /// Where the graph is written
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Args, Debug)]
struct Inspect {
    /// The ONNX file
    file: PathBuf,
    /// A config, whose `train.freeze` and `train.only` are applied
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set a key of the config from here, as in --set 'train.only=["fc.*"]'; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", requires = "config")]
    set: Vec<String>,
}

#[derive(Args, Debug)]
struct Head {
    /// The ONNX file
    file: PathBuf,
    /// How many classes it is to tell apart
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    classes: u32,
    /// The seed of the new weights
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the graph is written
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Network {
    /// Three blocks of convolution, batch normalisation and ReLU: 94,000 parameters at 10 classes
    Convnet,
    /// ResNet-18 (He et al. 2015): 11 million parameters
    Resnet18,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StemName {
    /// A 3x3 convolution of stride 1, for images of about 32 pixels
    Small,
    /// A 7x7 convolution of stride 2 and max pooling, for images of about 224 pixels
    Imagenet,
}

/// Runs `gleaner model`.
pub fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.action {
        Action::New(new) => make(new)?,
        Action::Inspect(arguments) => inspect(arguments)?,
        Action::Head(head) => exchange(head)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(arguments: &Inspect) -> anyhow::Result<()> {
    let selection = match &arguments.config {
        Some(config) => settings::selection(&Config::load(config, &arguments.set)?),
        None => Selection::default(),
    };
    let model = Model::read(&arguments.file)?;
    print!("{}", Report::of(&model));
    // What is no classifier was said to be none, with the reason.
    if Classifier::of(&model).is_err() {
        return Ok(());
    }
    match TrainingReport::of(model, &selection) {
        Ok(report) => print!("{report}"),
        Err(error) if matches!(*error.problem, Problem::Untrainable(_)) => println!("trainer     {}", error.problem),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn exchange(head: &Head) -> anyhow::Result<()> {
    let (file, output) = (&head.file, &head.output);
    anyhow::ensure!(!is_same(file, output), "{} would be overwritten; name another file with -o", file.display());
    let classes = usize::try_from(head.classes).context("--classes is too large")?;
    let mut model = Model::read(file)?;
    let new = replace_head(&mut model, classes, head.seed)?;
    model.write(output)?;
    println!("{}: {classes} classes instead of {}, in {}", output.display(), new.before, new.weights.join(" and "));
    if !new.dropped.is_empty() {
        println!("left out of the metadata: {}", new.dropped.join(", "));
    }
    Ok(())
}

/// Whether both name one file, by whatever way.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn make(new: &New) -> anyhow::Result<()> {
    let [channels, height, width] = new.input;
    let classes = usize::try_from(new.classes).context("--classes is too large")?;
    let model = match new.network {
        Network::Convnet if new.stem.is_some() => anyhow::bail!("--stem belongs to resnet18; leave it out for convnet"),
        Network::Convnet => start::convnet(classes, channels, height, width, new.seed),
        Network::Resnet18 => {
            let stem = new.stem.map(|stem| match stem {
                StemName::Small => Stem::Small,
                StemName::Imagenet => Stem::Imagenet,
            });
            start::resnet18(classes, channels, height, width, new.seed, stem)
        }
    };
    model?.write(&new.output)?;
    Ok(())
}

fn input(text: &str) -> Result<[usize; 3], String> {
    let sides: Option<Vec<usize>> =
        text.split(['x', 'X']).map(|side| side.parse().ok().filter(|&side| side > 0)).collect();
    sides
        .and_then(|sides| <[usize; 3]>::try_from(sides).ok())
        .ok_or_else(|| "write channels, height and width, as in 1x28x28 or 3x224x224".to_owned())
}

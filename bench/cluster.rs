//! gleaner's contender in `bench/cluster.py`: groups a table of embeddings whenever it is asked to.

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use gleaner::cluster::{Options, kmeans};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, dims, groups, labels] = arguments.as_slice() else {
        bail!("give TABLE.f32 DIMS GROUPS LABELS.u32");
    };
    let (dims, groups) = (dims.parse()?, groups.parse()?);
    let bytes = fs::read(Path::new(table)).with_context(|| table.clone())?;
    let points: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    drop(bytes);
    println!("ready");
    for (turn, line) in (1..).zip(io::stdin().lock().lines()) {
        line?;
        let start = Instant::now();
        let clusters = kmeans(&points, dims, &Options::new(groups, turn, 0))?;
        let seconds = start.elapsed().as_secs_f64();
        let written: Vec<u8> = clusters.assignment.iter().flat_map(|group| group.to_le_bytes()).collect();
        fs::write(labels, written)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{{\"seconds\": {seconds}, \"iterations\": {}}}", clusters.iterations)?;
        out.flush()?;
    }
    Ok(())
}

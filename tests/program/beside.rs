//! A run of the built-in trainer on a model whose weights stand in a file beside it.

use std::fs;

use super::graphs::with_weights_beside;
use super::workshop::Workshop;

const CONFIG: &str = "
mine: {budget: 1000.0}
train: {batch: 8, threads: 1}
score: {threads: 1, batch: 64}
plan: {forward: 0.17}
stop: {epochs: 2}
";

/// Two epochs, to their end.
fn run(workshop: &Workshop) -> String {
    let said = workshop.serve().end();
    let log = said.log.clone();
    assert!(said.well().contains("ended by stop.epochs: 2 epochs are done"), "{log}");
    log
}

#[test]
fn it_leads_to_the_lists_that_one_file_leads_to() {
    let one = Workshop::new(100, CONFIG);
    run(&one);
    let two = Workshop::new(100, CONFIG);
    let (graph, weights) = with_weights_beside(&one.bytes("start.onnx"), "start.onnx.data");
    two.write("start.onnx", graph);
    two.write("start.onnx.data", weights);
    // What a step leaves that is killed between its weights and its graph.
    fs::create_dir(two.path("watch")).unwrap();
    two.write("watch/epoch-0000.onnx.data", "half of a checkpoint");
    let log = run(&two);
    assert!(log.contains("removed, the step that wrote it did not end well"), "{log}");
    // The second step takes up the momentum of the first.
    assert_eq!(log.matches("training begins at rest").count(), 1, "{log}");
    for list in ["lists/epoch-0000.csv", "lists/epoch-0001.csv"] {
        assert_eq!(two.read(list), one.read(list), "{list}");
    }
    let accuracies = |workshop: &Workshop| {
        let status = workshop.status();
        let epochs = status["epochs"].as_array().unwrap().clone();
        epochs.iter().map(|epoch| epoch["validation_accuracy"].as_f64().unwrap()).collect::<Vec<f64>>()
    };
    assert_eq!(accuracies(&two), accuracies(&one));
    for epoch in ["watch/epoch-0000.onnx", "watch/epoch-0001.onnx"] {
        assert!(one.path(epoch).exists() && !one.path(&format!("{epoch}.data")).exists());
        assert!(two.path(epoch).exists() && two.path(&format!("{epoch}.data")).exists());
    }
    assert_eq!(two.rejections(), [""; 0]);

    // Other commands take it, too.
    let graph = "watch/epoch-0001.onnx";
    let score = ["score", "-c", "config.yaml", "--checkpoint", graph, "--list", "pool.txt", "-o", "scores.parquet"];
    assert!(two.run(&score).well().contains("100 images scored, 0 skipped"));
    two.run(&["model", "inspect", graph]).well();
}

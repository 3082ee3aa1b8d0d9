//! `gleaner score`: numbers that fit each other, whatever form the graph has.

use super::graphs::{channels_last, skilled, with_softmax};
use super::tables::{Row, parquet};
use super::workshop::{Workshop, images};

/// Scores the workshop's pool.
fn score(workshop: &Workshop, graph: &[u8], more: &[&str]) -> (String, Vec<String>, Vec<Row>) {
    workshop.write("graph.onnx", graph);
    let arguments = ["score", "-c", "config.yaml", "--checkpoint", "graph.onnx", "--list", "pool.txt"];
    let said = workshop.run(&[&arguments[..], &["-o", "scores.parquet"], more].concat()).well();
    let (columns, rows) = parquet(&workshop.path("scores.parquet"));
    (said, columns, rows)
}

#[test]
fn every_image_has_a_row_whose_numbers_fit_each_other() {
    let workshop = Workshop::new(300, "");
    let (said, columns, rows) = score(&workshop, skilled(), &["--embedding"]);
    assert_eq!(columns.join(","), "path,label,predicted,confidence,margin,loss,p_label,embedding");
    let lines: Vec<String> = rows.iter().map(|row| format!("{} {}", row.text("path"), row.of("label"))).collect();
    assert_eq!(lines, images("pool.txt", 300), "in the order of the list");
    for row in &rows {
        let [confidence, margin, loss, p_label] = ["confidence", "margin", "loss", "p_label"].map(|name| row.of(name));
        let near = |left: f64, right: f64| (left - right).abs() <= 1e-5 * (1.0 + right.abs());
        assert!((0.1..=1.0).contains(&confidence), "the highest of ten probabilities: {confidence}");
        assert!(near(loss, -p_label.ln()), "loss {loss}, p {p_label}");
        if row.is_right() {
            assert!(near(confidence, p_label));
            // The second is at least a ninth of what is left, and at most all of it.
            let second = p_label - margin;
            assert!(second <= 1.0 - p_label + 1e-6 && second >= (1.0 - p_label) / 9.0 - 1e-6, "{margin} {p_label}");
        } else {
            assert!(near(margin, p_label - confidence) && margin <= 0.0, "{margin} {p_label} {confidence}");
        }
        assert_eq!(row.embedding().len(), 128);
    }
    assert_ne!(rows[0].embedding(), rows[1].embedding());
    let right = rows.iter().filter(|row| row.is_right()).count();
    assert!(said.contains(&format!("300 images scored, 0 skipped, accuracy {:.4}", right as f64 / 300.0)), "{said}");
    assert!(right > 150, "the skilled graph knows most images: {right} of 300");
    let columns = score(&workshop, skilled(), &[]).1;
    assert!(!columns.contains(&"embedding".to_owned()), "only on request");
    assert!(!workshop.path("state").exists(), "no state");
}

#[test]
fn the_form_of_the_graph_changes_no_answer() {
    let workshop = Workshop::new(300, "");
    let expected = score(&workshop, skilled(), &[]).2;
    for (name, graph) in [("channels last", channels_last(skilled())), ("softmax", with_softmax(skilled()))] {
        let found = score(&workshop, &graph, &[]).2;
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.of("predicted"), expected.of("predicted"), "{name}");
            for column in ["confidence", "margin", "p_label"] {
                let difference = (found.of(column) - expected.of(column)).abs();
                assert!(difference <= 1e-6, "{name}: {column} differs by {difference}");
            }
        }
    }
}

#[test]
fn images_that_cannot_be_read_have_a_row_without_scores() {
    let workshop = Workshop::new(3, "");
    let mut list = images("pool.txt", 3);
    list.insert(1, "nowhere.png 4".to_owned());
    workshop.write("pool.txt", list.join("\n"));
    let (said, _, rows) = score(&workshop, skilled(), &["--embedding"]);
    assert!(said.contains("3 images scored, 1 skipped"), "{said}");
    assert_eq!(rows.len(), 4);
    assert_eq!((rows[1].number("predicted"), rows[1].number("loss")), (None, None));
    assert!(rows[1].text("path").ends_with("/nowhere.png"), "{}", rows[1].text("path"));
    assert!(rows[0].number("predicted").is_some() && rows[2].number("predicted").is_some());
}

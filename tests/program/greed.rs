//! Graphs of a few bytes more that ask for more memory than anybody has.

use gleaner::onnx::proto::NodeProto;

use super::graphs::{integer, node, skilled, with_much};
use super::memory::peak_kib;
use super::workshop::{BY_ITSELF, Workshop};

/// A value of so many numbers, filled with zeros.
fn filled(numbers: i64) -> Vec<u8> {
    let fill = NodeProto { name: Some("fill".to_owned()), ..node("ConstantOfShape", &["extents"], "much", Vec::new()) };
    with_much(skilled(), &[numbers], vec![fill])
}

/// The image beside itself, so many times twice as wide: nothing in the file says how much that is.
fn doubled(times: usize) -> Vec<u8> {
    let name = |step: usize| if step == times { "much".to_owned() } else { format!("doubled {step}") };
    let mut nodes = vec![node("Flatten", &["picture"], &name(0), Vec::new())];
    for step in 0..times {
        let half = name(step);
        nodes.push(node("Concat", &[&half, &half], &name(step + 1), vec![integer("axis", 1)]));
    }
    with_much(skilled(), &[], nodes)
}

#[test]
fn a_shape_in_the_file_that_claims_too_much_is_refused_before_the_graph_is_loaded() {
    let workshop = Workshop::new(40, BY_ITSELF);
    let expected = "node \"fill\" (ConstantOfShape) makes 1000000000000 numbers out of a constant shape, and with those before \
                    it 1000000000000, more than the 536870912 that are made so at most; use a smaller model";
    let graph = filled(1_000_000_000_000);
    workshop.write("greedy.onnx", &graph);
    let inspected = workshop.run(&["model", "inspect", "greedy.onnx"]).badly();
    assert!(inspected.contains(&format!("greedy.onnx: {expected}")), "{inspected}");

    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.drop_in(0, graph);
    let reason = service.until("a rejection", || workshop.rejections().pop());
    assert!(reason.contains("epoch-0000.onnx: ") && reason.contains(expected), "{reason}");
    let said = service.stop();
    assert!(!said.log.contains(" loaded "), "{}", said.log);
}

#[test]
fn a_model_that_takes_more_memory_than_it_may_is_rejected_and_the_next_one_is_taken() {
    let workshop = Workshop::new(40, &format!("{BY_ITSELF}score: {{max_gib: 0.5}}\n"));
    let mut service = workshop.serve();
    service.until_awaited(0);
    // A gibibyte when the graph is loaded; 28 x 28 x 4 bytes doubled 20 times, 3 GiB for each image, when it is run.
    for (count, graph) in (1..).zip([filled(1 << 28), doubled(20)]) {
        workshop.drop_in(0, graph);
        let reason =
            service.until("a rejection", || Some(workshop.rejections()).filter(|all| all.len() == count)?.pop());
        let expected = "it takes more than the 536870912 bytes of memory that a model may take (score.max_gib): ONNX Runtime does not ";
        assert!(reason.contains(expected), "{reason}");
        service.until("it being put aside", || (!workshop.path("watch/epoch-0000.onnx").exists()).then_some(()));
    }
    let peak = peak_kib(service.id());
    assert!(peak < 900 << 10, "{peak} KiB");
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
}

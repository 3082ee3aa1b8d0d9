//! Images that claim too much, and links that lead out of the pool: told by name, before they cost anything.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;

use gleaner::onnx::Model;
use gleaner::onnx::proto::GraphProto;

use super::graphs::{skilled, with_weights_beside};
use super::memory::peak_kib;
use super::workshop::{BY_ITSELF, Running, Workshop, images};

/// A scan that looks at everything.
const WHOLE: &str = "mine: {quota: 1.0, budget: 1000.0}\n";
/// Rows and columns of a picture of a gigabyte.
const SIDE: u32 = 1 << 15;

/// Writes a PNG of zeros, row by row: a gigabyte of them makes a file of some kilobytes.
fn black(workshop: &Workshop, name: &str, side: u32) {
    let mut encoder = png::Encoder::new(File::create(workshop.path(name)).unwrap(), side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().unwrap();
    let mut rows = writer.stream_writer().unwrap();
    let row = vec![0; side as usize];
    for _ in 0..side {
        rows.write_all(&row).unwrap();
    }
    rows.finish().unwrap();
}

/// With these lines before those of 40 images.
fn with_more(lines: &str) -> Workshop {
    let workshop = Workshop::new(40, &format!("{BY_ITSELF}{WHOLE}"));
    workshop.write("pool.txt", lines.to_owned() + &workshop.read("pool.txt"));
    workshop
}

/// What the scan of epoch 0 could not read.
fn left_out(workshop: &Workshop, service: &mut Running) -> Vec<String> {
    service.until_awaited(0);
    let first = workshop.read("lists/epoch-0000.txt");
    assert!(
        !first.contains(&workshop.path("").display().to_string()),
        "another seed is needed: one is on the first list"
    );
    workshop.drop_in(0, skilled());
    service.until_next(workshop, 1);
    service.until_awaited(1);
    let status = workshop.status();
    let events = status["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "skipped");
    events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_picture_of_a_gigabyte_takes_no_memory() {
    let workshop = with_more("bomb.png 3\n");
    black(&workshop, "bomb.png", SIDE);
    let mut service = workshop.serve();
    let left_out = left_out(&workshop, &mut service);
    let expected = format!(
        "{}: 32768x32768 is more than the 100000000 pixels that are decoded at most; shrink the image, raise \
         pixels.max_megapixels, or remove it from the list",
        workshop.path("bomb.png").display()
    );
    assert_eq!(left_out, [expected]);
    let peak = peak_kib(service.id());
    assert!(peak < 512 << 10, "{peak} KiB");
    service.stop().well();
}

#[test]
fn limits_are_what_the_config_says() {
    let workshop = with_more("wide.png 3\nlong.png 3\n");
    black(&workshop, "wide.png", 40);
    let small = images("pool.txt", 1)[0].rsplit_once(' ').unwrap().0.to_owned();
    let mut long = fs::read(small).unwrap();
    // What stands behind the end of a PNG is not looked at, but it is in the file.
    long.resize(9000, 0);
    workshop.write("long.png", long);
    let run = |set: &[&str]| workshop.start(&[&["run", "-c", "config.yaml"], set].concat());
    let mut service = run(&["--set", "pixels.max_megapixels=0.0015", "--set", "pixels.max_file_mib=0.008"]);
    let left_out = left_out(&workshop, &mut service);
    service.stop().well();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    // 0.008 MiB are 8388.6 bytes.
    for expected in
        ["wide.png: 40x40 is more than the 1500 pixels", "long.png: the file has 9000 bytes, more than the 8388 "]
    {
        assert!(left_out.iter().any(|reason| reason.contains(expected)), "{left_out:?}");
    }
    // Raised, they are read; what was kept of them does not speak for them when limits fall again.
    let score = |set: &[&str]| {
        let arguments =
            ["score", "-c", "config.yaml", "--checkpoint", "start.onnx", "--list", "pool.txt", "-o", "s.parquet"];
        workshop.run(&[&arguments, set].concat()).well()
    };
    assert!(score(&[]).contains("42 images scored, 0 skipped"));
    assert!(score(&["--set", "pixels.max_megapixels=0.0015"]).contains("41 images scored, 1 skipped"));
}

/// The skilled graph, changed.
fn changed(change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut model = Model::from_bytes(skilled()).unwrap();
    change(model.graph_mut());
    model.to_bytes().unwrap()
}

#[test]
fn graphs_that_cannot_be_are_refused_before_they_are_loaded() {
    let workshop = Workshop::new(40, BY_ITSELF);
    let mut service = workshop.serve();
    service.until_awaited(0);
    let before = workshop.bytes("lists/next.txt");
    let cyclic = changed(|graph| {
        let logits = graph.output[0].name().to_owned();
        graph.node[0].input[0] = logits;
    });
    let claiming = changed(|graph| graph.initializer[0].dims = vec![1 << 40]);
    let (outside, weights) = with_weights_beside(skilled(), "../weights");
    // They are there, and they are right.
    workshop.write("weights", weights);
    let unfit = [
        (cyclic, "before it is made: the graph is cyclic"),
        (claiming, "of shape [1099511627776] needs 4398046511104 bytes but holds "),
        (outside, "external data \"../weights\" leads out of the model's folder; put the file beside the model"),
    ];
    for (count, (graph, text)) in (1..).zip(unfit) {
        workshop.drop_in(0, graph);
        let reason =
            service.until("a rejection", || Some(workshop.rejections()).filter(|all| all.len() == count)?.pop());
        assert!(reason.contains("epoch-0000.onnx: ") && reason.contains(text), "{reason}");
        service.until("it being put aside", || (!workshop.path("watch/epoch-0000.onnx").exists()).then_some(()));
    }
    let said = service.stop();
    assert!(!said.log.contains(" loaded "), "{}", said.log);
    assert_eq!(workshop.bytes("lists/next.txt"), before);
}

#[test]
fn a_link_out_of_the_pool_is_refused_unless_it_is_allowed() {
    let workshop = with_more("inside.png 3\noutside.png 3\n");
    let outside = fs::canonicalize(images("pool.txt", 50)[49].rsplit_once(' ').unwrap().0).unwrap();
    fs::copy(&outside, workshop.path("image.png")).unwrap();
    symlink("image.png", workshop.path("inside.png")).unwrap();
    symlink(&outside, workshop.path("outside.png")).unwrap();
    let expected = format!(
        "pool.txt:2: `outside.png` lies at {} by a symbolic link, outside of {}; put the image itself there, or allow such \
         links by pool.links: anywhere",
        outside.display(),
        fs::canonicalize(workshop.path("")).unwrap().display()
    );
    let said = workshop.serve().end().badly();
    assert!(said.contains(&expected) && !said.contains("inside.png"), "{said}");
    assert!(!workshop.path("lists").exists() && !workshop.path("state").exists());
    let checked = workshop.run(&["check", "-c", "config.yaml"]);
    assert!(checked.code == Some(1) && checked.out.contains(&expected), "{}", checked.out);

    let mut service = workshop.start(&["run", "-c", "config.yaml", "--set", "pool.links=anywhere"]);
    assert_eq!(left_out(&workshop, &mut service), [""; 0]);
}

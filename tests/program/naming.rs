//! How an image of the pool may be named to `gleaner explain`.

use std::fs;

use super::explaining::explain;
use super::workshop::{BY_ITSELF, Workshop, images};

#[test]
fn an_image_may_be_named_in_many_ways() {
    let workshop = Workshop::new(1, &format!("{BY_ITSELF}initial: {{fraction: 0.5}}\n"));
    let files: Vec<String> =
        images("pool.txt", 4).iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect();
    for (class, names) in [("bag", ["first.png", "second.png"]), ("shoe", ["first.png", "third.png"])] {
        fs::create_dir_all(workshop.path("classes").join(class)).unwrap();
        for (name, file) in names.iter().zip(&files) {
            fs::copy(file, workshop.path("classes").join(class).join(name)).unwrap();
        }
    }
    let config = workshop.read("config.yaml").replace("train: pool.txt", "train: classes");
    workshop.write("config.yaml", config);
    let missing = workshop.run(&["explain", "#0", "-c", "config.yaml"]).badly();
    assert!(missing.contains("state/ledger.sqlite: there is no ledger here"), "{missing}");

    let mut service = workshop.serve();
    service.until_awaited(0);
    let absolute = workshop.path("classes/shoe/third.png");
    let real = fs::canonicalize(&absolute).unwrap();
    let names = [
        "#3",
        "shoe/third.png",
        "classes/shoe/third.png",
        "classes/../classes/./shoe//third.png",
        absolute.to_str().unwrap(),
        real.to_str().unwrap(),
    ];
    for name in names {
        let told = explain(&workshop, name);
        assert_eq!((&told["id"], &told["listed"]), (&3.into(), &"shoe/third.png".into()), "{name}");
        assert_eq!((&told["label"], &told["class"]), (&1.into(), &"shoe".into()));
    }
    service.stop().well();
    let said = workshop.run(&["explain", "shoe/thirt.png", "-c", "config.yaml"]).badly();
    let expected = "shoe/thirt.png: is not in the pool ";
    assert!(said.contains(expected) && said.contains("the nearest names there are `shoe/third.png`, "), "{said}");
    let said = workshop.run(&["explain", "#4", "-c", "config.yaml"]).badly();
    assert!(said.contains("has 4 images; name one from #0 to #3"), "{said}");

    // Another pool of the same size: what is known would be told of the wrong images.
    fs::rename(&absolute, workshop.path("classes/shoe/fourth.png")).unwrap();
    let said = workshop.run(&["explain", "#3", "-c", "config.yaml"]).badly();
    assert!(said.contains("is not the pool that the run in "), "{said}");
}

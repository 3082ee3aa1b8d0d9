//! What a person has to say of images whose label is probably wrong, or of any other.

use std::collections::BTreeSet;

use super::explaining::explain;
use super::graphs::skilled;
use super::mislabelled::{POOL, list, named, paths, reason, run, suspects, workshop};
use super::tables::parquet;

#[test]
fn a_persons_word_counts_from_the_next_list_on() {
    let workshop = workshop("lists: {paths: listed}\nsuspects: {others: even}\n", &[skilled()]);
    run(&workshop, 3);
    let before = suspects(&workshop);
    let [kept, dropped, relabelled] = [0, 1, 2].map(|at| before[at]["path"].clone());
    let innocent = list(&workshop, 2)[0].path.clone();
    assert_eq!(reason(&workshop, &kept), "suspect");
    // As a spreadsheet saves it: a byte order mark, other columns, line ends of Windows, rows that say nothing.
    let absolute = workshop.path(&dropped).display().to_string();
    let (label, new) = (&before[2]["label"], &before[2]["suggested"]);
    workshop.write(
        "lists/reviews.csv",
        format!(
            "\u{feff}path,label,verdict,new_label\r\n{kept},3,keep,\r\n{absolute},,Drop,\r\n{relabelled},{label},relabel,{new}\r\n\
             {innocent},0,drop,\r\n{},0,,\r\n",
            before[3]["path"]
        ),
    );
    let log = run(&workshop, 4);
    assert!(log.contains("a person's reviews have changed"), "{log}");
    let (next, after) = (list(&workshop, 3), named(&suspects(&workshop)));
    let label_of = |path: &String| next.iter().find(|line| line.path == *path).map(|line| line.label.to_string());
    assert_eq!(label_of(&kept), Some(before[0]["label"].clone()));
    assert_eq!((label_of(&dropped), label_of(&innocent)), (None, None));
    assert_eq!(label_of(&relabelled), Some(new.clone()));
    assert!([&kept, &dropped, &relabelled].iter().all(|path| !after.contains(*path)), "nobody asks about them again");
    assert!(after.contains(&before[3]["path"]), "a row without a verdict says nothing");
    assert_eq!((reason(&workshop, &dropped), reason(&workshop, &innocent)), ("dropped".into(), "dropped".into()));
    let told = explain(&workshop, &relabelled);
    assert_eq!((&told["label"].to_string(), &told["history"]["review"]), (new, &"relabel".into()));
    let known = parquet(&workshop.path("state/samples.parquet")).1;
    let row = known.iter().find(|row| row.text("path") == relabelled).unwrap();
    assert_eq!((row.of("label").to_string(), row.of("times_scored")), (new.clone(), 0.0), "of another label");
    // What no longer makes sense changes nothing; what is taken back is taken back.
    workshop.write("lists/reviews.csv", format!("path,verdict\n{dropped},dorp\n"));
    let log = run(&workshop, 5);
    assert!(log.contains("reviews.csv:2: verdict is \"dorp\"; write keep, drop or relabel"), "{log}");
    assert!(!paths(&list(&workshop, 4)).contains(&innocent));
    std::fs::remove_file(workshop.path("lists/reviews.csv")).unwrap();
    run(&workshop, 6);
    let next = list(&workshop, 5);
    assert!(paths(&next).contains(&innocent));
    let after = named(&suspects(&workshop));
    assert!(after.contains(&kept) && after.contains(&dropped) && !paths(&next).contains(&kept));
    let line = next.iter().find(|line| line.path == relabelled).unwrap();
    assert_eq!(
        line.label.to_string(),
        *label,
        "what was said of its other label is forgotten, so nobody suspects it yet"
    );
}

#[test]
fn what_is_dropped_before_the_first_list_is_never_trained_on() {
    for policy in ["confidence", "patent", "uniform"] {
        let workshop = workshop(&format!("policy: {policy}\n"), &[skilled()]);
        let pool = workshop.read("pool.txt");
        let dropped: BTreeSet<String> =
            pool.lines().step_by(2).map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect();
        let rows: String = dropped.iter().map(|path| format!("{path},drop\n")).collect();
        std::fs::create_dir(workshop.path("lists")).unwrap();
        workshop.write("lists/reviews.csv", format!("path,verdict\n{rows}"));
        run(&workshop, 3);
        for epoch in 0..3 {
            let list = paths(&list(&workshop, epoch));
            assert!(!list.is_empty() && list.is_disjoint(&dropped), "{policy}, epoch {epoch}");
        }
        assert_eq!(list(&workshop, 0).len(), POOL / 10);
    }
}

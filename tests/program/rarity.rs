//! Classes of few images.

use std::collections::BTreeSet;

use super::graphs::skilled;
use super::tables::manifest;
use super::workshop::{BY_ITSELF, Workshop, images};

/// Everything is scanned, and of what is known a tenth comes along.
const WHOLE: &str = "mine: {quota: 1.0, budget: 1000.0, confident: 0.3}\nextras: {share: 0.1, exponent: 0}\n";
const RARE: &str = " 7";

/// The images of the rare class that are on neither list, where classes have such a floor, and how many there are in all.
fn left_out(floor: &str) -> (usize, usize) {
    let workshop = Workshop::new(1, &format!("{BY_ITSELF}{WHOLE}classes: {{floor: {floor}}}\n"));
    // Sneakers, of which the model is mostly sure: one in four of them.
    let mut sneakers = 0;
    let pool = images("pool.txt", 400).into_iter().filter(|line| {
        sneakers += usize::from(line.ends_with(RARE));
        !line.ends_with(RARE) || sneakers % 4 == 0
    });
    let pool: Vec<String> = pool.collect();
    workshop.write("pool.txt", pool.join("\n") + "\n");
    workshop.drop_in(0, skilled());
    workshop.mine(0).well();
    let list = |epoch: u32| manifest(&workshop.path(&format!("lists/epoch-{epoch:04}.csv")));
    let (first, second) = (list(0), list(1));
    assert!(second.iter().all(|line| line.weight == 1.0));
    let listed: BTreeSet<String> = first.into_iter().chain(second).map(|line| line.path).collect();
    let rare: Vec<&str> =
        pool.iter().filter(|line| line.ends_with(RARE)).map(|line| line.rsplit_once(' ').unwrap().0).collect();
    (rare.iter().filter(|path| !listed.contains(**path)).count(), rare.len())
}

#[test]
fn a_rare_class_has_what_it_is_due() {
    // About 365 images in 10 classes, and some 11 of the rare one: 0.7 of 36 are due, and there are not so many.
    let (left, all) = left_out("1.0");
    assert!(left == 0 && all > 5 && all < 15, "{left} of {all}");
    let (left, _) = left_out("0");
    assert!(left >= 3, "without a floor most of what is known stays out: {left} of {all}");
}

//! The order by hand: who comes first, and how probably.

use std::collections::BTreeMap;

use super::{Order, Plan, Precedence};
use crate::draw::{Draws, Stream};
use crate::ledger::Samples;
use crate::prediction::Prediction;

const LEN: u32 = 4000;

fn plan(random: f64) -> Plan {
    Plan { trained_on: 4, epoch: 4, precedence: Precedence::None, stale: 0, random, quota: 400 }
}

fn draws() -> Draws {
    Draws::new(1, 4, Stream::Scan)
}

/// Every second sample was wrong in epoch 3, the others right; a hundred are of the current subset.
fn history() -> Samples {
    let mut samples = Samples::new(LEN as usize);
    for id in 0..LEN {
        let margin = if id % 2 == 0 { -0.7 } else { 0.7 };
        let said = Prediction { predicted: 1, confidence: 0.8, p_label: 0.1, margin, loss: 1.0 };
        samples.record_score(id, 3, &said);
        if id < 100 {
            samples.record_visit(id, 4);
        }
    }
    samples
}

/// Visits up to `forwards` images, of which `finds` says what they are; what was visited, in order.
fn scan(order: &mut Order, quota: usize, forwards: usize, finds: impl Fn(u32) -> bool) -> Vec<u32> {
    let (mut seen, mut found) = (Vec::new(), 0);
    loop {
        let round = order.next_round(forwards - seen.len());
        if round.is_empty() {
            return seen;
        }
        for id in round {
            order.learn(Some(finds(id)));
            seen.push(id);
            found += usize::from(finds(id));
            if found == quota {
                return seen;
            }
        }
    }
}

#[test]
fn all_at_random_is_one_round_without_the_current_subset() {
    let samples = history();
    let mut order = Order::new(&plan(1.0), &samples, |_| true, |id| id % 10, draws());
    assert_eq!(order.len(), 3900);
    let mut expected: Vec<u32> = (100..LEN).collect();
    draws().shuffle(&mut expected);
    assert_eq!(order.next_round(1000), expected[..1000]);
    (0..1000).for_each(|_| assert_eq!(order.learn(Some(true)), 0));
    assert_eq!(order.next_round(10_000), expected[1000..]);
    assert!(order.inclusion().all(|(_, probability)| probability == (1000.0 / 3900.0) as f32));
}

#[test]
fn what_was_seen_longest_ago_comes_first() {
    //           id:  0   1  2   3  4  5
    let mut samples = Samples::new(6);
    samples.last_trained = vec![-1, 0, 2, -1, 1, 3];
    samples.last_scored = vec![-1, 2, -1, 0, -1, -1];
    for random in [0.1, 1.0] {
        let plan = Plan { trained_on: 3, precedence: Precedence::Stalest, ..plan(random) };
        let mut order = Order::new(&plan, &samples, |_| true, |_| 0, draws());
        let seen = scan(&mut order, usize::MAX, 100, |_| true);
        // Last seen: 0 never, 3 in epoch 0, 4 in epoch 1, 1 and 2 in epoch 2; 5 is the current subset.
        assert_eq!(seen[..3], [0, 3, 4], "{random}");
        let mut rest = seen[3..].to_vec();
        rest.sort_unstable();
        assert_eq!(rest, [1, 2]);
    }
}

#[test]
fn the_scan_goes_where_the_finds_are() {
    let samples = history();
    let mut order = Order::new(&plan(0.05), &samples, |_| true, |id| id % 10, draws());
    // What was wrong is wrong again. 400 finds at random take 800 looks. Here 256 looks bring about 128, and 272
    // more the rest, a few of them for the random share and for doubts.
    let seen = scan(&mut order, 400, 4000, |id| id % 2 == 0);
    assert!(seen.len() < 600, "{}", seen.len());
    let mut first: Vec<u32> = (100..LEN).collect();
    draws().shuffle(&mut first);
    assert_eq!(seen[..256], first[..256], "the first round is the beginning of the random order");
    let mut once = seen.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), seen.len(), "no image twice");
}

#[test]
fn nothing_is_never_visited() {
    let samples = history();
    let mut order = Order::new(&plan(0.05), &samples, |_| true, |id| id % 10, draws());
    assert_eq!(scan(&mut order, usize::MAX, 10_000, |id| id % 2 == 0).len(), 3900);
    assert!(order.inclusion().all(|(_, probability)| probability == 1.0));
    assert_eq!(order.visited(), order.len());
}

#[test]
fn inclusion_by_hand() {
    // One class, so two cells of 1950 each: those that were wrong before, and those that were right.
    let samples = history();
    let mut order = Order::new(&plan(0.5), &samples, |_| true, |_| 0, draws());
    let seen = scan(&mut order, 400, 4000, |id| id % 2 == 0);
    let visited = |even: bool| seen.iter().filter(|&&id| (id % 2 == 0) == even).count() as f64 / 1950.0;
    let mut of: BTreeMap<bool, Vec<f32>> = BTreeMap::new();
    order.inclusion().for_each(|(id, probability)| of.entry(id % 2 == 0).or_default().push(probability));
    // Of those that were wrong the scan went through a share, by the random order or not.
    assert!(of[&true].iter().all(|&p| p == visited(true) as f32) && of[&true].len() == 1950);
    // The others were only come to by the random share: as far as that went through all.
    let mut random: Vec<u32> = (100..LEN).collect();
    draws().shuffle(&mut random);
    let walked = 1 + random.iter().rposition(|id| id % 2 == 1 && seen.contains(id)).unwrap();
    let p = of[&false][0];
    assert!(of[&false].iter().all(|&other| other == p));
    assert!(f64::from(p) >= walked as f64 / 3900.0 - 1e-6 && f64::from(p) < visited(true));
    assert!((f64::from(p) - visited(false)).abs() < 0.03, "{p} against {}", visited(false));
    assert!(p > 0.0);
}

#[test]
fn an_image_that_cannot_be_read_is_passed_over() {
    let samples = history();
    let mut order = Order::new(&plan(0.05), &samples, |_| true, |id| id % 10, draws());
    for _ in order.next_round(4000) {
        order.learn(None);
    }
    let next = order.next_round(4000);
    assert!(!next.is_empty() && order.visited() == 256);
}

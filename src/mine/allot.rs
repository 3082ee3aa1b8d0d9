//! How many images of each cell the next round looks at.

use std::cmp::Ordering;

/// Halvings until the share of the wants that fits into a round is exact enough.
const HALVINGS: usize = 30;
/// Cells where a find takes this many times the looks of the average are left to the random share: some of them have no
/// finds at all, and no number of looks would show it.
const HOPELESS: f64 = 10.0;

/// A cell as far as a round is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stock {
    /// The class of its images.
    pub(super) label: u32,
    /// Images that were not looked at yet.
    pub(super) left: u32,
    /// Finds so far.
    pub(super) found: u32,
    /// The probability that one of those left is a find.
    pub(super) likely: f64,
}

/// For each cell how many images to look at: at most `forwards` in all, and no more than it probably takes to bring the
/// finds to `quota`.
///
/// Every class is to bring the share of the finds that it would bring to a scan at random, which is its share of all the
/// finds there are. Without that the likeliest finds would all be of the few classes that the model is worst at; training
/// on them it forgets the others, and is wrong on more of the pool in the next epoch: measured on Fashion-MNIST, taking
/// more of the worse classes made each scan cheaper and the models clearly worse. Within its class the likeliest cell
/// comes first.
pub(super) fn allot(cells: &[Stock], quota: usize, forwards: usize) -> Vec<u32> {
    let cells = &hopeful(cells)[..];
    let mut order: Vec<usize> = (0..cells.len()).collect();
    let cell = |at: usize| cells.get(at).copied().unwrap_or(Stock { label: 0, left: 0, found: 0, likely: 0.0 });
    order.sort_by(|&a, &b| {
        let (a, b) = (cell(a), cell(b));
        a.label.cmp(&b.label).then(b.likely.partial_cmp(&a.likely).unwrap_or(Ordering::Equal))
    });
    let classes: Vec<&[usize]> = order.chunk_by(|&a, &b| cell(a).label == cell(b).label).collect();
    let wants = wants(&classes, cells, quota);
    // Goes through all cells with the share of the wants that is to be met, and tells how often each is looked at.
    let look = |share: f64, tell: &mut dyn FnMut(f64)| {
        for (class, want) in classes.iter().zip(&wants) {
            let mut want = want * share;
            for &at in *class {
                let Stock { left, likely, .. } = cell(at);
                let looks = (want / likely.max(1e-9)).clamp(0.0, f64::from(left));
                want -= looks * likely;
                tell(looks);
            }
        }
    };
    let fits = |share: f64| {
        let mut sum = 0.0;
        look(share, &mut |looks| sum += looks);
        sum <= forwards as f64
    };
    let (mut share, mut too_much) = (0.0, 1.0);
    if fits(too_much) {
        share = too_much;
    } else {
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(share, too_much);
            *(if fits(middle) { &mut share } else { &mut too_much }) = middle;
        }
    }
    let mut chosen = Vec::with_capacity(order.len());
    look(share, &mut |looks| chosen.push(looks));
    // Rounded so that the sum stays what it is: what one cell loses the next one gets.
    let mut counts = vec![0; cells.len()];
    let mut exact = 0.0;
    let mut given = 0.0;
    for (&at, look) in order.iter().zip(chosen) {
        exact += look;
        let count = ((exact + 0.5_f64).floor() - given).clamp(0.0, f64::from(cell(at).left));
        given += count;
        if let Some(place) = counts.get_mut(at) {
            *place = count as u32;
        }
    }
    counts
}

/// The cells, as if nothing were left of those that are hardly worth a look.
fn hopeful(cells: &[Stock]) -> Vec<Stock> {
    let left: f64 = cells.iter().map(|cell| f64::from(cell.left)).sum();
    let finds: f64 = cells.iter().map(|cell| f64::from(cell.left) * cell.likely).sum();
    let least = finds / left.max(1.0) / HOPELESS;
    let left = |cell: &Stock| if cell.likely < least { 0 } else { cell.left };
    cells.iter().map(|cell| Stock { left: left(cell), ..*cell }).collect()
}

/// How many more finds each class is to bring.
fn wants(classes: &[&[usize]], cells: &[Stock], quota: usize) -> Vec<f64> {
    let classes: Vec<Class> = (classes.iter())
        .map(|class| {
            let cells = || class.iter().filter_map(|&at| cells.get(at));
            let found: f64 = cells().map(|cell| f64::from(cell.found)).sum();
            let finds = found + cells().map(|cell| f64::from(cell.left) * cell.likely).sum::<f64>();
            Class { found, finds }
        })
        .collect();
    let all: f64 = classes.iter().map(|class| class.finds).sum();
    let share = |class: &Class| (quota as f64 / all.max(1e-9)).min(1.0) * class.finds;
    classes.iter().map(|class| (share(class) - class.found).max(0.0)).collect()
}

struct Class {
    /// Finds so far.
    found: f64,
    /// Finds that there are in all, as far as can be told.
    finds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(label: u32, left: u32, likely: f64) -> Stock {
        Stock { label, left, found: 0, likely }
    }

    #[test]
    fn within_a_class_the_likeliest_come_first() {
        // 60 finds are wanted: 50 × 0.8 = 40 from the better cell, and 20 / 0.4 = 50 looks for the rest.
        assert_eq!(allot(&[stock(0, 100, 0.4), stock(0, 50, 0.8)], 60, 1000), [50, 50]);
        // Half of the 100 looks that it takes bring less than half of the finds' looks: all from the better cell.
        assert_eq!(allot(&[stock(0, 100, 0.4), stock(0, 50, 0.8)], 60, 25), [0, 25]);
    }

    #[test]
    fn every_class_brings_its_share_of_the_finds() {
        // 810 and 90 finds are there, so of 100 that are wanted 90 and 10: the looks of a scan at random.
        assert_eq!(allot(&[stock(3, 900, 0.9), stock(5, 900, 0.1)], 100, 10_000), [100, 100]);
        // Where the one class has a better cell, its finds take fewer looks: 45 / 0.9 and 5 / 0.1.
        let cells = [stock(3, 900, 0.9), stock(3, 900, 0.1), stock(5, 9000, 0.1)];
        assert_eq!(allot(&cells, 90, 10_000), [50, 0, 450]);
    }

    #[test]
    fn what_was_found_is_not_wanted_again() {
        let cell = Stock { label: 0, left: 100, found: 55, likely: 0.5 };
        assert_eq!(allot(&[cell], 60, 1000), [10]);
        assert_eq!(allot(&[cell], 55, 1000), [0]);
    }

    #[test]
    fn the_hopeless_are_left_to_the_random_share() {
        // On average 0.2525 of the images are finds, and a tenth of that is more than 0.005.
        assert_eq!(allot(&[stock(0, 100, 0.5), stock(1, 100, 0.005)], 10, 1000), [20, 0]);
    }

    #[test]
    fn no_more_than_there_is() {
        assert_eq!(allot(&[stock(0, 10, 0.5), stock(1, 10, 0.5)], 1000, 1000), [10, 10]);
        assert!(allot(&[], 10, 10).is_empty());
        let counts = allot(&[stock(0, 10, 0.5), stock(0, 10, 0.5), stock(0, 10, 0.5)], 15, 7);
        assert_eq!(counts.iter().sum::<u32>(), 7);
    }
}

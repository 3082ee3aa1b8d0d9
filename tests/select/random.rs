//! Random subsets: their counts, and equal chances.

use gleaner::select::{Stratum, initial, share_count, uniform};

use super::members::{CHI_100, ascending, chi_squared, samples};

#[test]
fn shares_are_rounded_as_by_hand() {
    for (len, fraction, count) in [
        (0, 0.5, 0),
        (10, 0.25, 3),     // 2.5
        (100, 0.145, 15),  // 14.5, though 0.145 × 100 is 14.499999999999998 in binary
        (100, 0.1449, 14), // 14.49
        (3, 0.1, 1),       // 0.3, but at least one
        (7, 1.0, 7),
        (7, 2.0, 7),
        (7, f64::NAN, 1),
        (4_000_000_000, 0.1, 400_000_000),
        (u32::MAX, 1.0, u32::MAX),
    ] {
        assert_eq!(share_count(len, fraction), count, "{fraction} of {len}");
    }
}

#[test]
fn random_subsets_have_exact_counts_and_equal_chances() {
    let first = initial(0..1000, 100, 7);
    assert_eq!(first.len(), 100);
    assert!(ascending(&first) && first.iter().all(|choice| choice.sample < 1000));
    assert!(first.iter().all(|c| c.stratum == Stratum::Initial && c.weight == 1.0 && c.cluster.is_none()));
    assert!(first.iter().all(|c| c.inclusion == 0.1));
    assert_eq!(initial(0..1000, 100, 7), first);
    assert_ne!(initial(0..1000, 100, 8), first);
    assert_eq!(samples(&initial(0..3, 3, 7)), [0, 1, 2]);
    assert!(initial(0..0, 0, 7).is_empty());

    let one = uniform(0..1000, 100, 7, 1);
    assert!(
        ascending(&one) && one.len() == 100 && one.iter().all(|c| c.stratum == Stratum::Uniform && c.weight == 1.0)
    );
    assert_ne!(samples(&one), samples(&uniform(0..1000, 100, 7, 2)));
    assert_ne!(samples(&uniform(0..1000, 100, 7, 0)), samples(&first), "streams are apart");
    assert_eq!(samples(&uniform(0..4, 9, 7, 1)), [0, 1, 2, 3]);
    assert!(uniform(0..4, 0, 7, 1).is_empty());

    let mut counts = [[0u32; 100]; 2];
    for round in 0..4000 {
        uniform(0..100, 30, 3, round).iter().for_each(|choice| counts[0][choice.sample as usize] += 1);
        initial(0..100, 30, u64::from(round)).iter().for_each(|choice| counts[1][choice.sample as usize] += 1);
    }
    for counts in counts {
        let chi = chi_squared(&counts, 4000, 0.3);
        assert!(chi < CHI_100, "chi-squared {chi}");
    }
}

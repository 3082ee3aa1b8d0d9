//! The policy `patent`: groups that are thinned, and expanded by what is nearest to them.

use std::collections::BTreeMap;

use gleaner::select::{Choice, Member, Stratum, expansion_counts, patent_expand, patent_thin, patent_thin_and_expand};

use super::members::{CHI_100, ascending, chi_squared, member, samples};

/// Mined groups: 0 with 1 to 5, 2 with 6, none with 7 and 8.
fn mined() -> Vec<Member> {
    let without = |sample| Member { sample, cluster: None };
    vec![member(1, 0), member(2, 0), member(3, 0), member(4, 0), member(5, 0), member(6, 2), without(7), without(8)]
}

fn sizes(choices: &[Choice], stratum: Stratum) -> Vec<(Option<u32>, usize)> {
    let mut sizes = BTreeMap::new();
    for choice in choices.iter().filter(|choice| choice.stratum == stratum) {
        *sizes.entry(choice.cluster).or_insert(0) += 1;
    }
    sizes.into_iter().collect()
}

#[test]
fn thinning_keeps_the_fraction_of_each_group() {
    // Halves up: 2.5 of 5 is 3. At least one: 0.1 of 1.
    for (fraction, none, first, third) in
        [(0.5, 1, 3, 1), (0.1, 1, 1, 1), (0.7, 1, 4, 1), (1.0, 2, 5, 1), (0.0, 1, 1, 1)]
    {
        let choices = patent_thin(&mined(), fraction, 1, 1);
        assert_eq!(sizes(&choices, Stratum::Mined), [(None, none), (Some(0), first), (Some(2), third)], "{fraction}");
        assert!(ascending(&choices) && choices.iter().all(|choice| choice.weight == 1.0));
        for (cluster, kept, of) in [(None, none, 2.0), (Some(0), first, 5.0), (Some(2), third, 1.0)] {
            let mut group = choices.iter().filter(|choice| choice.cluster == cluster);
            assert!(group.all(|choice| choice.inclusion == kept as f64 / of), "{fraction}");
        }
    }
    let group: Vec<Member> = (0..100).map(|sample| member(sample, 3)).collect();
    let mut counts = [0u32; 100];
    for epoch in 0..4000 {
        patent_thin(&group, 0.3, 2, epoch).iter().for_each(|choice| counts[choice.sample as usize] += 1);
    }
    let chi = chi_squared(&counts, 4000, 0.3);
    assert!(chi < CHI_100, "chi-squared {chi}");
}

#[test]
fn expanding_adds_the_nearest_of_each_group() {
    // Group 0 of five wants 3 at 0.5 (2.5 up), group 2 of one wants 1 (0.5 up); group 1 is empty and wants none.
    assert_eq!(expansion_counts(&mined(), 3, 0.5), [3, 0, 1]);
    assert_eq!(expansion_counts(&mined(), 1, 0.4), [2]);
    // 6 is mined and passed over; 30 was taken by group 0, so group 2 goes on to 50.
    let expansions = [vec![20, 6, 30, 10, 40], vec![60], vec![30, 50, 70]];
    let extras = [(10, Some(0)), (20, Some(0)), (30, Some(0)), (50, Some(2))];
    let expanded = patent_expand(&mined(), &expansions, 0.5);
    assert_eq!(samples(&expanded), [1, 2, 3, 4, 5, 6, 7, 8, 10, 20, 30, 50]);
    let thinned = patent_thin_and_expand(&mined(), &expansions, 0.5, 1, 1);
    for choices in [&expanded, &thinned] {
        let found: Vec<_> =
            choices.iter().filter(|c| c.stratum == Stratum::Extra).map(|c| (c.sample, c.cluster)).collect();
        assert_eq!(found, extras);
        assert!(choices.iter().all(|choice| choice.weight == 1.0));
    }
    let kept: Vec<Choice> = thinned.iter().filter(|choice| choice.stratum == Stratum::Mined).copied().collect();
    assert_eq!(kept, patent_thin(&mined(), 0.5, 1, 1));
    // Too few others: what there is.
    assert_eq!(samples(&patent_expand(&mined(), &[vec![20]], 1.0)), [1, 2, 3, 4, 5, 6, 7, 8, 20]);
}

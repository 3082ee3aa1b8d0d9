//! From the choice to the list: the cut, the order, the names, and that none of it depends on the order before.

use gleaner::draw::{Draws, Stream};
use gleaner::select::{Choice, Member, Stratum, cut, order, patent_expand, patent_thin, patent_thin_and_expand};

use super::members::{CHI_100, ascending, chi_squared, confidence, member, samples};

/// 30 mined at weight 1 and 70 extras at weight 2.
fn mixed() -> Vec<Choice> {
    let choice = |sample| match sample {
        0..30 => Choice { sample, stratum: Stratum::Mined, cluster: None, weight: 1.0, inclusion: 0.5 },
        _ => Choice { sample, stratum: Stratum::Extra, cluster: Some(sample % 3), weight: 2.0, inclusion: 0.25 },
    };
    (0..100).map(choice).collect()
}

#[test]
fn a_cut_is_uniform_and_keeps_weights() {
    let all = mixed();
    assert_eq!(cut(&all, 100, 1, 1), all);
    assert_eq!(cut(&all, usize::MAX, 1, 1), all);
    assert!(cut(&all, 0, 1, 1).is_empty());
    let mut counts = [0u32; 100];
    for epoch in 0..4000 {
        let kept = cut(&all, 40, 1, epoch);
        assert_eq!(kept.len(), 40);
        for choice in kept {
            let before = all[choice.sample as usize];
            assert_eq!(choice, Choice { inclusion: before.inclusion * 0.4, ..before });
            counts[choice.sample as usize] += 1;
        }
    }
    let chi = chi_squared(&counts, 4000, 0.4);
    assert!(chi < CHI_100, "chi-squared {chi}");
    // Strata in expectation: 40 × 0.3 = 12 mined an epoch, standard deviation of the mean below 0.05.
    let mined = counts[..30].iter().sum::<u32>() as f64 / 4000.0;
    assert!((mined - 12.0).abs() < 0.2, "{mined}");
}

#[test]
fn the_published_order_is_a_fresh_permutation() {
    let all = mixed();
    let published = order(&all, 1, 1);
    assert_ne!(samples(&published), samples(&order(&all, 1, 2)));
    assert_ne!(samples(&published), samples(&all));
    let mut back = published.clone();
    back.sort_by_key(|choice| choice.sample);
    assert_eq!(back, all);
    // Sample 5 stands at each of 100 places equally often.
    let mut counts = [0u32; 100];
    for epoch in 0..10_000 {
        let place = order(&all, 1, epoch).iter().position(|choice| choice.sample == 5).unwrap();
        counts[place] += 1;
    }
    let chi = chi_squared(&counts, 10_000, 0.01);
    assert!(chi < CHI_100, "chi-squared {chi}");
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let mined: Vec<Member> = (0..200).map(|sample| member(sample, sample % 7)).collect();
    let known: Vec<Member> = (150..900).map(|sample| member(sample, sample % 11)).collect();
    let expansions: Vec<Vec<u32>> =
        (0..7).map(|cluster| (1000 + cluster * 40..1100 + cluster * 40).collect()).collect();
    let results = |mined: &[Member], known: &[Member]| {
        let policies = [
            confidence(mined, known, 0.37, 4, 2),
            patent_thin(mined, 0.37, 4, 2),
            patent_expand(mined, &expansions, 0.37),
            patent_thin_and_expand(mined, &expansions, 0.37, 4, 2),
        ];
        for choices in &policies {
            assert!(ascending(choices), "each sample once, ascending");
        }
        policies
    };
    let expected = results(&mined, &known);
    for seed in 0..5 {
        let draws = Draws::new(seed, 0, Stream::Order);
        let shuffled = |members: &[Member]| {
            let mut members = members.to_vec();
            members.sort_by_key(|member| draws.bits(u64::from(member.sample)));
            // Given twice is given once.
            members.extend_from_within(..20);
            members
        };
        assert_eq!(results(&shuffled(&mined), &shuffled(&known)), expected);
        for choices in &expected {
            let mut shuffled = choices.clone();
            shuffled.sort_by_key(|choice| draws.bits(u64::from(choice.sample)));
            assert_eq!(cut(&shuffled, 50, 4, 2), cut(choices, 50, 4, 2));
            assert_eq!(order(&shuffled, 4, 2), order(choices, 4, 2));
        }
    }
}

#[test]
fn strata_have_the_manifest_names() {
    let strata = [Stratum::Initial, Stratum::Uniform, Stratum::Mined, Stratum::Extra, Stratum::Full];
    assert_eq!(strata.map(Stratum::as_str), ["initial", "uniform", "mined", "extra", "full"]);
    assert_eq!(format!("{:>8}", Stratum::Mined), "   mined");
}

//! The next subset: counts, probabilities and order.

use std::collections::BTreeMap;

use gleaner::draw::{Draws, Stream};
use gleaner::select::{
    self, Candidate, Choice, Extras, Favour, Member, Stratum, cut, expansion_counts, initial, order, patent_expand,
    patent_thin, patent_thin_and_expand, share_count, uniform,
};

fn member(sample: u32, cluster: u32) -> Member {
    Member { sample, cluster: Some(cluster) }
}

/// The policy `confidence` where every image is looked at, at weights that keep sums unbiased.
fn confidence(mined: &[Member], known: &[Member], share: f64, seed: u64, epoch: u32) -> Vec<Choice> {
    let all = |members: &[Member]| -> Vec<Candidate> {
        members.iter().map(|&member| Candidate { member, reach: 1.0 }).collect()
    };
    select::confidence(&all(mined), &[], &all(known), Extras { share, exponent: 1.0 }, |_| Favour::NONE, seed, epoch)
}

fn samples(choices: &[Choice]) -> Vec<u32> {
    choices.iter().map(|choice| choice.sample).collect()
}

fn ascending(choices: &[Choice]) -> bool {
    choices.is_sorted_by(|a, b| a.sample < b.sample)
}

/// Chi-squared of how often each of `counts` came up in `rounds` draws with `probability`; its mean is `counts.len()`.
fn chi_squared(counts: &[u32], rounds: u32, probability: f64) -> f64 {
    let mean = f64::from(rounds) * probability;
    let variance = mean * (1.0 - probability);
    counts.iter().map(|&count| (f64::from(count) - mean).powi(2) / variance).sum()
}

/// Exceeded with probability 0.001 by chi-squared with 100 degrees of freedom.
const CHI_100: f64 = 149.4;

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

/// 100 known images, 1000 to 1099, in groups of 1, 2, 3, 10, 37 and 47, the last without a cluster.
fn known() -> Vec<Member> {
    let sizes = [1, 2, 3, 10, 37, 47];
    let clusters = (0u32..).zip(sizes).flat_map(|(cluster, size)| std::iter::repeat_n(cluster, size));
    let named = |cluster| (cluster < 5).then_some(cluster);
    (1000..).zip(clusters).map(|(sample, cluster)| Member { sample, cluster: named(cluster) }).collect()
}

#[test]
fn known_images_are_drawn_with_exactly_the_share() {
    let (known, rounds) = (known(), 4000);
    for share in [0.05, 0.3, 0.5, 0.9] {
        let mut counts = [0u32; 100];
        let (mut weights, mut values) = (0.0, 0.0);
        for epoch in 0..rounds {
            let choices = confidence(&[member(1, 0)], &known, share, 11, epoch);
            let mut sizes: BTreeMap<Option<u32>, f64> = BTreeMap::new();
            for choice in choices.iter().filter(|choice| choice.stratum == Stratum::Extra) {
                counts[choice.sample as usize - 1000] += 1;
                assert_eq!(choice.weight, (1.0 / share) as f32);
                weights += f64::from(choice.weight);
                values += f64::from(choice.weight) * f64::from(choice.sample - 1000);
                *sizes.entry(choice.cluster).or_default() += 1.0;
            }
            // Evenly over groups: never further than one image from the share of a group.
            for (size, cluster) in
                [(1.0, Some(0)), (2.0, Some(1)), (3.0, Some(2)), (10.0, Some(3)), (37.0, Some(4)), (47.0, None)]
            {
                let drawn = sizes.get(&cluster).copied().unwrap_or(0.0);
                assert!((drawn - size * share).abs() < 1.0, "{drawn} of {size} at {share}");
            }
        }
        let chi = chi_squared(&counts, rounds, share);
        assert!(chi < CHI_100, "share {share}: chi-squared {chi}");
        // The estimates of the number of known images (100) and of the sum of 0 to 99 (4950) are unbiased. Their standard
        // errors over all rounds are at most those of independent draws.
        let spread = ((1.0 - share) / share / f64::from(rounds)).sqrt();
        let mean = weights / f64::from(rounds);
        assert!((mean - 100.0).abs() < 4.0 * spread * 10.0, "share {share}: {mean} is not 100");
        let mean = values / f64::from(rounds);
        // Σ i² for i below 100 is 328,350.
        assert!((mean - 4950.0).abs() < 4.0 * spread * 328_350f64.sqrt(), "share {share}: {mean} is not 4950");
    }
}

#[test]
fn what_is_taken_unseen_weighs_as_what_was_looked_at() {
    let of = |sample, reach| Candidate { member: Member { sample, cluster: None }, reach };
    // Two mined and one unseen that came with 0.5, one unseen with 0.25: the harmonic mean is 4 / (3 x 2 + 4) = 0.4.
    let (mined, unseen) = ([of(4, 0.5), of(2, 0.5)], [of(1, 0.25), of(3, 0.5)]);
    let extras = Extras { share: 0.0, exponent: 1.0 };
    let choices = select::confidence(&mined, &unseen, &[], extras, |_| Favour::NONE, 1, 1);
    let found: Vec<_> = choices.iter().map(|it| (it.sample, it.stratum, it.weight, it.inclusion)).collect();
    let (uniform, mined) = (Stratum::Uniform, Stratum::Mined);
    assert_eq!(found, [(1, uniform, 1.6, 0.25), (2, mined, 0.8, 0.5), (3, uniform, 0.8, 0.5), (4, mined, 0.8, 0.5)]);
}

#[test]
fn groups_are_rounded_independently() {
    // 100 groups of one: each draw is one of 0.3, and any two come together with probability 0.09.
    let known: Vec<Member> = (0..100).map(|number| member(number, number)).collect();
    let (mut counts, mut together) = ([0u32; 100], 0);
    for epoch in 0..4000 {
        let chosen = samples(&confidence(&[], &known, 0.3, 5, epoch));
        chosen.iter().for_each(|&sample| counts[sample as usize] += 1);
        together += u32::from(chosen.contains(&3) && chosen.contains(&4));
    }
    let chi = chi_squared(&counts, 4000, 0.3);
    assert!(chi < CHI_100, "chi-squared {chi}");
    // 360 expected, standard deviation 18.
    assert!((together as f64 - 360.0).abs() < 4.0 * 18.1, "{together}");
}

#[test]
fn confidence_at_its_ends() {
    let mined = [member(9, 4), Member { sample: 2, cluster: None }];
    let known = [member(5, 1), member(9, 1), member(7, 1)];
    let mined_choice =
        |sample, cluster| Choice { sample, stratum: Stratum::Mined, cluster, weight: 1.0, inclusion: 1.0 };
    let extra = |sample| Choice { sample, stratum: Stratum::Extra, cluster: Some(1), weight: 1.0, inclusion: 1.0 };
    let both = [mined_choice(2, None), mined_choice(9, Some(4))];
    for nothing in [0.0, -1.0, f64::NAN] {
        assert_eq!(confidence(&mined, &known, nothing, 1, 1), both);
    }
    // 9 is mined, so it is not drawn from the known.
    assert_eq!(confidence(&mined, &known, 1.0, 1, 1), [both[0], extra(5), extra(7), both[1]]);
    assert!(confidence(&[], &[], 0.5, 1, 1).is_empty());
    // With 0.5 exactly one of the two that remain comes, at weight 2.
    for epoch in 0..50 {
        let choices = confidence(&mined, &known, 0.5, 1, epoch);
        assert_eq!(choices.len(), 3);
        assert_eq!(choices.iter().map(|choice| choice.weight).sum::<f32>(), 4.0);
    }
}

#[test]
fn weights_make_up_for_how_images_were_come_by() {
    let of = |sample, reach| Candidate { member: member(sample, 0), reach };
    let weights = |mined: &[Candidate], known: &[Candidate], share, exponent| -> Vec<f32> {
        let choices = select::confidence(mined, &[], known, Extras { share, exponent }, |_| Favour::NONE, 3, 3);
        choices.iter().map(|choice| choice.weight).collect()
    };
    let close = |left: Vec<f32>, right: &[f64]| {
        assert_eq!(left.len(), right.len(), "{left:?}");
        for (left, right) in left.iter().zip(right) {
            assert!((f64::from(*left) - right).abs() < 1e-6, "{left} is not {right}");
        }
    };
    // The harmonic mean of 1 and 1/4 is 2 / (1 + 4) = 0.4; the mean weight is 1.
    close(weights(&[of(1, 1.0), of(2, 0.25)], &[], 0.5, 1.0), &[0.4, 1.6]);
    // Halfway to no weights: the square roots.
    close(weights(&[of(1, 1.0), of(2, 0.25)], &[], 0.5, 0.5), &[0.4f64.sqrt(), 1.6f64.sqrt()]);
    close(weights(&[of(1, 1.0), of(2, 0.25)], &[of(3, 0.25)], 1.0, 0.0), &[1.0, 1.0, 1.0]);
    // The harmonic mean of four times 1 and one time 1/50 is 5 / 54, which is clipped to 1/4 and 4.
    let far = [of(1, 1.0), of(2, 1.0), of(3, 1.0), of(4, 1.0), of(5, 0.02)];
    close(weights(&far, &[], 0.5, 1.0), &[0.25, 0.25, 0.25, 0.25, 4.0]);
    // Of two known images one, which also stands for the other. The harmonic mean is 3 / (1 + 2 + 2) = 0.6.
    let known = [of(2, 0.5), of(3, 0.5)];
    close(weights(&[of(1, 1.0)], &known, 0.5, 1.0), &[0.6, 2.4]);
    let choices =
        select::confidence(&[of(1, 0.5)], &[], &known, Extras { share: 0.5, exponent: 1.0 }, |_| Favour::NONE, 3, 3);
    assert_eq!(choices.iter().map(|choice| choice.inclusion).collect::<Vec<f64>>(), [0.5, 0.25]);
    // A probability that is none counts as 1.
    close(weights(&[of(1, f32::NAN), of(2, 0.0), of(3, 1.0)], &[], 0.5, 1.0), &[1.0, 1.0, 1.0]);
}

#[test]
fn a_favoured_image_comes_more_often_and_weighs_no_less() {
    // Of two clusters of 40, the images from 20 on are of a class that is drawn three times as often: 0.6 instead of 0.2.
    let known: Vec<Candidate> = (0..80)
        .map(|sample| Candidate { member: member(sample % 40 + 40 * (sample / 40), sample / 40), reach: 0.5 })
        .collect();
    let favoured = |sample: u32| sample % 40 >= 20;
    let favour = |sample| if favoured(sample) { Favour { reach: 1.0, share: 0.6 } } else { Favour::NONE };
    let mut counts = [0u32; 80];
    for epoch in 0..4000 {
        for choice in select::confidence(&[], &[], &known, Extras { share: 0.2, exponent: 1.0 }, favour, 11, epoch) {
            counts[choice.sample as usize] += 1;
            assert!((choice.weight - 5.0).abs() < 1e-6, "as if drawn with 0.2");
            let drawn = if favoured(choice.sample) { 0.6 } else { 0.2 };
            assert!((choice.inclusion - 0.5 * drawn).abs() < 1e-9);
        }
    }
    for (drawn, part) in [(0.2, 0..20), (0.6, 20..40), (0.2, 40..60), (0.6, 60..80)] {
        let chi = chi_squared(&counts[part], 4000, drawn);
        // 20 degrees of freedom; the 99.9th percentile is 45.3.
        assert!(chi < 45.3, "chi-squared {chi} at {drawn}");
    }
    // Looked at twice as often, 0.5 instead of 0.25, beside one at 0.25: both weigh as if at 0.25, and the harmonic mean of
    // what came of it is 2 / (2 + 4) = 1/3.
    let mined = [Candidate { member: member(1, 0), reach: 0.5 }, Candidate { member: member(2, 0), reach: 0.25 }];
    let favour = |sample| Favour { reach: if sample == 1 { 2.0 } else { 1.0 }, share: 0.0 };
    let choices = select::confidence(&mined, &[], &[], Extras { share: 0.2, exponent: 1.0 }, favour, 11, 1);
    assert!(choices.iter().all(|choice| (choice.weight - 4.0 / 3.0).abs() < 1e-6));
    assert_eq!(choices.iter().map(|choice| choice.inclusion).collect::<Vec<_>>(), [0.5, 0.25]);
    // Where nobody else is drawn, the favoured are, and weigh what stands for the others of their class.
    let only = |sample| if favoured(sample) { Favour { reach: 1.0, share: 0.5 } } else { Favour::NONE };
    let choices = select::confidence(&[], &[], &known, Extras { share: 0.0, exponent: 1.0 }, only, 1, 1);
    assert!(choices.len() == 20 && choices.iter().all(|choice| favoured(choice.sample) && choice.weight == 2.0));
    // A favour beyond certainty is certainty.
    let all = select::confidence(
        &[],
        &[],
        &known,
        Extras { share: 0.5, exponent: 0.0 },
        |_| Favour { reach: 1.0, share: 9.0 },
        1,
        1,
    );
    assert_eq!(all.len(), 80);
}

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

//! The policy `confidence`: all that was mined, and a share of the known, evenly over groups.

use std::collections::BTreeMap;

use gleaner::select::{Choice, Member, Stratum};

use super::members::{CHI_100, chi_squared, confidence, member, samples};

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

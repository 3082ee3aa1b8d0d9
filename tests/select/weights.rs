//! Weights that make up for how images were come by.

use gleaner::select::{self, Candidate, Extras, Favour, Member, Stratum};

use super::members::{chi_squared, member};

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

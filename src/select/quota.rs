//! Quotas: what a class with few images is to have of the next subset, whatever the model asks for.

/// What there is of a class, before the next subset is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stock {
    /// All its images that may be trained on.
    pub images: f64,
    /// Scanned, and not confidently right: all of them are chosen.
    pub mined: f64,
    /// Scanned, and confidently right: a share of them is.
    pub known: f64,
    /// With an answer from before, not confidently right: chosen if they are looked at.
    pub fresh_mined: f64,
    /// With an answer from before, confidently right: a share of those that are looked at is chosen.
    pub fresh_known: f64,
}

/// How a class is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// The share of its images with an answer from before that is looked at.
    pub fresh: f64,
    /// The share of the confidently right that is chosen.
    pub extras: f64,
}

/// How often a common share is halved: enough for any number of images.
const STEPS: usize = 64;

/// How the classes are drawn so that `quota` images are expected in all, if there are so many to be had: the share of images
/// with an answer from before that is looked at, which is the same for every class, and for every class its own quota where
/// the same would be too little for it.
///
/// Of the confidently right the share `extras` is chosen. A class that has fewer images n than an even share N / C of all N
/// images in C classes is to have
///
/// floor × (quota / C) × (1 - n C / N)
///
/// images, if there are so many: an even share of the subset where the class is very rare, nothing where it is not rare. To
/// that end more of its images are looked at, then more of the confidently right ones chosen. The formula is gleaner's own.
pub fn quotas(stocks: &[Stock], extras: f64, quota: f64, floor: f64) -> (f64, Vec<Quota>) {
    let all: f64 = stocks.iter().map(|stock| stock.images).sum();
    let classes = stocks.iter().filter(|stock| stock.images > 0.0).count() as f64;
    let least = |stock: &Stock| {
        let rarity = (1.0 - stock.images * classes / all.max(1.0)).max(0.0);
        floor * quota / classes.max(1.0) * rarity
    };
    let total = |share: f64| -> f64 {
        stocks.iter().map(|stock| stock.expected(share, extras).max(least(stock).min(stock.available()))).sum()
    };
    let mut share = 1.0;
    if total(1.0) > quota {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..STEPS {
            share = f64::midpoint(low, high);
            if total(share) > quota { high = share } else { low = share }
        }
    }
    (share, stocks.iter().map(|stock| stock.quota(share, extras, least(stock))).collect())
}

impl Stock {
    /// Images chosen, where so large a share of those with an answer from before is looked at.
    fn expected(&self, fresh: f64, extras: f64) -> f64 {
        self.mined + extras * self.known + fresh * (self.fresh_mined + extras * self.fresh_known)
    }

    fn available(&self) -> f64 {
        self.mined + self.known + self.fresh_mined + self.fresh_known
    }

    /// At least `least` images, if there are so many.
    fn quota(&self, fresh: f64, extras: f64, least: f64) -> Quota {
        if self.expected(fresh, extras) >= least {
            return Quota { fresh, extras };
        }
        let short = least - self.expected(0.0, extras);
        let brings = self.fresh_mined + extras * self.fresh_known;
        if short <= brings {
            return Quota { fresh: (short / brings).clamp(fresh, 1.0), extras };
        }
        let (missing, known) = (least - self.mined - self.fresh_mined, self.known + self.fresh_known);
        Quota { fresh: 1.0, extras: if known > 0.0 { (missing / known).clamp(extras, 1.0) } else { extras } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(images: f64, [mined, known, fresh_mined, fresh_known]: [f64; 4]) -> Stock {
        Stock { images, mined, known, fresh_mined, fresh_known }
    }

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} is not {right}");
    }

    #[test]
    fn equal_classes_are_drawn_alike() {
        let stocks = [stock(100.0, [10.0, 20.0, 30.0, 40.0]), stock(100.0, [0.0, 0.0, 0.0, 100.0])];
        // Everything brings 10 + 2 + 30 + 4 and 10: 56.
        let (share, quotas) = quotas(&stocks, 0.1, 60.0, 1.0);
        assert_eq!((share, quotas), (1.0, vec![Quota { fresh: 1.0, extras: 0.1 }; 2]));
        // 12 + 44 s = 34 at one half.
        let (share, quotas) = super::quotas(&stocks, 0.1, 34.0, 1.0);
        close(share, 0.5);
        quotas.iter().for_each(|quota| assert!(quota.fresh == share && quota.extras == 0.1));
        assert_eq!(super::quotas(&[], 0.1, 34.0, 1.0).1, []);
    }

    #[test]
    fn a_rare_class_has_its_quota() {
        // 300 images in two classes: 50 are a third of an even share, so that two thirds of 60 / 2 are due, 20.
        let common = stock(250.0, [0.0, 0.0, 100.0, 150.0]);
        let rare = stock(50.0, [0.0, 0.0, 30.0, 20.0]);
        let (share, found) = quotas(&[common, rare], 0.0, 60.0, 1.0);
        // The others share what is left: 40 of 100. Of the rare ones 30 × 2/3 = 20.
        close(share, 0.4);
        close(found[0].fresh, 0.4);
        close(found[1].fresh, 2.0 / 3.0);
        // Half a floor is 10, and the common share brings more than that: 60 of 130 from both.
        let (share, found) = quotas(&[common, rare], 0.0, 60.0, 0.5);
        close(share, 60.0 / 130.0);
        assert_eq!(found[0], found[1]);
        // Where nothing of it is in doubt, it comes from what is known: 20 of 50.
        let (share, found) = quotas(&[common, stock(50.0, [0.0, 10.0, 0.0, 40.0])], 0.0, 60.0, 1.0);
        close(share, 0.4);
        assert_eq!((found[0].extras, found[1].fresh), (0.0, 1.0));
        close(found[1].extras, 0.4);
        // And where there are not so many, all of them: 6 of the 20, and 54 of 100 others.
        let (share, found) = quotas(&[common, stock(50.0, [2.0, 0.0, 1.0, 3.0])], 0.0, 60.0, 1.0);
        close(share, 0.54);
        assert_eq!(found[1], Quota { fresh: 1.0, extras: 1.0 });
    }
}

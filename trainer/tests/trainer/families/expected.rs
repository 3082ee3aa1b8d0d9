//! What PyTorch computed of a family, and how far something else is from it.

use super::recipe::{Recipe, hashed};
use crate::support::fixtures;
use std::collections::BTreeMap;

/// Sums under random signs that are kept of each tensor.
const PROJECTIONS: u32 = 8;

/// A tensor, told by its norm and by sums of its entries under random signs.
pub struct Sketch {
    pub norm: f64,
    sums: Vec<f64>,
}

impl Sketch {
    fn of(json: &serde_json::Value) -> Self {
        let numbers: Vec<f64> = json.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
        assert_eq!(numbers.len(), 1 + PROJECTIONS as usize);
        Self { norm: numbers[0], sums: numbers[1..].to_vec() }
    }

    /// The norm of the difference to `values`: the sums of a tensor under random signs have its squared norm as their
    /// mean square. With 8 of them it is a factor of two off at most in 19 of 20 cases.
    pub fn distance(&self, values: &[f32]) -> f64 {
        let sum = |projection: u32| -> f64 {
            let signed = values.iter().enumerate().map(|(place, &value)| {
                let bit = hashed((place as u32).wrapping_mul(PROJECTIONS).wrapping_add(projection)) & 1;
                if bit == 0 { f64::from(value) } else { -f64::from(value) }
            });
            signed.sum()
        };
        let squares =
            (0..PROJECTIONS).zip(&self.sums).map(|(projection, expected)| (sum(projection) - expected).powi(2));
        (squares.sum::<f64>() / f64::from(PROJECTIONS)).sqrt()
    }
}

/// What PyTorch computed in double precision; `fixtures/families/make.py` tells the parts.
pub struct Expected {
    pub shape: [usize; 4],
    pub images: Vec<f32>,
    pub logits: Vec<f32>,
    pub loss: f64,
    pub gradients: BTreeMap<String, Sketch>,
    pub statistics: BTreeMap<String, Sketch>,
}

impl Expected {
    pub fn read(family: &str) -> Self {
        let file = fixtures().join(format!("families/{family}.json"));
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let extents: Vec<usize> =
            json["image"]["shape"].as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap() as usize).collect();
        let rows = json["logits"].as_array().unwrap();
        let sketches = |part: &str| {
            json[part].as_object().unwrap().iter().map(|(name, json)| (name.clone(), Sketch::of(json))).collect()
        };
        Self {
            shape: extents.as_slice().try_into().unwrap(),
            images: Recipe::of(&json["image"]).values(extents.iter().product()),
            logits: rows.iter().flat_map(|row| row.as_array().unwrap()).map(|x| x.as_f64().unwrap() as f32).collect(),
            loss: json["loss"].as_f64().unwrap(),
            gradients: sketches("gradients"),
            statistics: sketches("statistics"),
        }
    }

    /// The norm of all gradients together.
    pub fn whole(&self) -> f64 {
        self.gradients.values().map(|sketch| sketch.norm.powi(2)).sum::<f64>().sqrt()
    }
}

//! Random changes of training images, all of them decided by 64 bits that the caller draws.

use super::Preprocess;

/// Which changes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Augment {
    /// Mirror left and right, one time in two.
    pub flip: bool,
    /// Pad so many zero pixels on every side and cut a part of the old size out at a random place, as torchvision's
    /// `RandomCrop(size, padding=pad)` does. 0 leaves the image in its place.
    pub pad: u32,
}

impl Augment {
    /// Whether nothing is ever changed.
    pub fn is_none(&self) -> bool {
        !self.flip && self.pad == 0
    }

    /// Writes the changed `pixels` (one image, HWC as `preprocess` says) to `out`, of the same length.
    ///
    /// The same bits give the same result: bit 63 decides the flip, bits 32 to 62 the row and bits 0 to 31 the column
    /// of the cut. The cut comes first and the flip after it.
    pub fn apply(&self, bits: u64, preprocess: &Preprocess, pixels: &[u8], out: &mut [u8]) {
        let channels = preprocess.channels.count();
        let (height, width) = (preprocess.height as usize, preprocess.width as usize);
        if width == 0 || pixels.len() != out.len() || pixels.len() != preprocess.bytes() {
            return;
        }
        let flip = self.flip && bits >> 63 == 1;
        let down = place((bits >> 32) & 0x7fff_ffff, 31, self.pad);
        let right = place(bits & 0xffff_ffff, 32, self.pad);
        let stride = width * channels;
        // Row r of the cut is row r + down of the padded image, which is row r + down - pad of the image.
        for (row, to) in out.chunks_exact_mut(stride).enumerate() {
            let from = (row as u64 + down)
                .checked_sub(u64::from(self.pad))
                .filter(|from| *from < height as u64)
                .and_then(|from| pixels.chunks_exact(stride).nth(from as usize));
            match from {
                None => to.fill(0),
                Some(from) => shift(from, to, right, u64::from(self.pad), channels),
            }
            if flip {
                mirror(to, channels);
            }
        }
    }
}

/// One of the `2 * pad + 1` places, evenly: a draw of `width` bits as a fraction, times the count, rounded down.
fn place(draw: u64, width: u32, pad: u32) -> u64 {
    let count = 2 * u64::from(pad) + 1;
    ((u128::from(draw) * u128::from(count)) >> width) as u64
}

/// Column c of the cut is column c + right - pad of the image; beside the image it is zero.
fn shift(from: &[u8], to: &mut [u8], right: u64, pad: u64, channels: usize) {
    let bytes = |pixels: u64| usize::try_from(pixels).unwrap_or(usize::MAX).saturating_mul(channels).min(from.len());
    to.fill(0);
    let (skip, lead) = (bytes(right.saturating_sub(pad)), bytes(pad.saturating_sub(right)));
    for (to, from) in to.iter_mut().skip(lead).zip(from.iter().skip(skip)) {
        *to = *from;
    }
}

fn mirror(row: &mut [u8], channels: usize) {
    match channels {
        3 => row.as_chunks_mut::<3>().0.reverse(),
        _ => row.reverse(),
    }
}

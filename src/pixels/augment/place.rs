//! Where the image lies: a padded random crop and the flip.

/// Writes `pixels` to `out`, moved by up to `pad` pixels each way and perhaps mirrored, as the bits decide; both are of
/// (height, width, channels).
pub(super) fn place(
    flip: bool,
    pad: u32,
    bits: u64,
    (height, width, channels): (usize, usize, usize),
    pixels: &[u8],
    out: &mut [u8],
) {
    let flip = flip && bits >> 63 == 1;
    let down = drawn((bits >> 32) & 0x7fff_ffff, 31, pad);
    let right = drawn(bits & 0xffff_ffff, 32, pad);
    let stride = width * channels;
    // Row r of the cut is row r + down of the padded image, which is row r + down - pad of the image.
    for (row, to) in out.chunks_exact_mut(stride).enumerate() {
        let from = (row as u64 + down)
            .checked_sub(u64::from(pad))
            .filter(|from| *from < height as u64)
            .and_then(|from| pixels.chunks_exact(stride).nth(from as usize));
        match from {
            None => to.fill(0),
            Some(from) => shift(from, to, right, u64::from(pad), channels),
        }
        if flip {
            mirror(to, channels);
        }
    }
}

/// One of the `2 * pad + 1` places, evenly: a draw of `width` bits as a fraction, times the count, rounded down.
fn drawn(draw: u64, width: u32, pad: u32) -> u64 {
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

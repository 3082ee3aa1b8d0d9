//! From the colours of a file to those of the model, as Pillow's `convert` does it.

use super::Channels;

/// What a decoder left in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One byte: grey.
    Grey,
    /// Two bytes: grey, alpha.
    GreyAlpha,
    /// Three bytes.
    Rgb,
    /// Four bytes: colour, alpha.
    Rgba,
    /// Two bytes, high first: grey of 16 bits.
    Grey16,
    /// Four bytes: grey of 16 bits, alpha of 16 bits; the same grey as [`Kind::Grey16`].
    Grey16Keyed,
    /// As [`Kind::GreyAlpha`], [`Kind::Rgb`] and [`Kind::Rgba`] with two bytes each, high first.
    GreyAlpha16,
    /// Six bytes.
    Rgb16,
    /// Eight bytes.
    Rgba16,
    /// Four bytes: cyan, magenta, yellow, key, where 255 is no ink, as Adobe's programs write them to JPEG.
    Cmyk,
}

/// A decoded picture: its size and what its pixels are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture {
    pub width: u32,
    pub height: u32,
    pub kind: Kind,
}

/// Converts `raw` to `channels` bytes a pixel; as many pixels as `out` holds.
pub(super) fn to_channels(picture: &Picture, raw: &[u8], channels: Channels, out: &mut [u8]) {
    match picture.kind {
        Kind::Grey => from_grey::<1>(raw, channels, out, |[grey]| grey),
        Kind::GreyAlpha => from_grey::<2>(raw, channels, out, |[grey, _]| grey),
        // Pillow clips grey of 16 bits (mode I;16) instead of scaling it ...
        Kind::Grey16 => from_grey::<2>(raw, channels, out, |[high, low]| if high == 0 { low } else { 255 }),
        Kind::Grey16Keyed => from_grey::<4>(raw, channels, out, |[high, low, _, _]| if high == 0 { low } else { 255 }),
        // ... but keeps the high byte of every other kind of 16 bits.
        Kind::GreyAlpha16 => from_grey::<4>(raw, channels, out, |[high, _, _, _]| high),
        Kind::Rgb => from_rgb::<3>(raw, channels, out, |pixel| *pixel),
        Kind::Rgba => from_rgb::<4>(raw, channels, out, |&[red, green, blue, _]| [red, green, blue]),
        Kind::Rgb16 => from_rgb::<6>(raw, channels, out, |&[red, _, green, _, blue, _]| [red, green, blue]),
        Kind::Rgba16 => from_rgb::<8>(raw, channels, out, |&[red, _, green, _, blue, _, _, _]| [red, green, blue]),
        Kind::Cmyk => from_rgb::<4>(raw, channels, out, |&[cyan, magenta, yellow, key]| {
            [print(cyan, key), print(magenta, key), print(yellow, key)]
        }),
    }
}

fn from_grey<const N: usize>(raw: &[u8], channels: Channels, out: &mut [u8], grey: impl Fn([u8; N]) -> u8) {
    let (pixels, _) = raw.as_chunks::<N>();
    match channels {
        Channels::Grey => {
            for (to, pixel) in out.iter_mut().zip(pixels) {
                *to = grey(*pixel);
            }
        }
        Channels::Rgb => {
            for (to, pixel) in out.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                *to = [grey(*pixel); 3];
            }
        }
    }
}

fn from_rgb<const N: usize>(raw: &[u8], channels: Channels, out: &mut [u8], rgb: impl Fn(&[u8; N]) -> [u8; 3]) {
    let (pixels, _) = raw.as_chunks::<N>();
    match channels {
        Channels::Grey => {
            for (to, pixel) in out.iter_mut().zip(pixels) {
                *to = luma(rgb(pixel));
            }
        }
        Channels::Rgb => {
            for (to, pixel) in out.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                *to = rgb(pixel);
            }
        }
    }
}

/// ITU-R 601-2 luma in 16 bits of fraction: the weights 0.299, 0.587 and 0.114 as Pillow rounds them.
pub(super) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    ((u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16) as u8
}

/// One colour of a print: the light that the key leaves, less the ink's share of it; both are given as what they leave
/// of the paper. The division by 255 is the rounded one of Jim Blinn, "Three Wrongs Make a Right" (IEEE CG&A 1995).
fn print(colour: u8, key: u8) -> u8 {
    let product = (255 - u32::from(colour)) * u32::from(key) + 128;
    (u32::from(key) - ((product + (product >> 8)) >> 8)) as u8
}

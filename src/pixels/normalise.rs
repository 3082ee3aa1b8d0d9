//! From levels to the numbers a model was trained on.

use super::{PixelError, Preprocess};

/// In which order the model wants its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Plane after plane: channels, rows, columns.
    Nchw,
    /// Interleaved: rows, columns, channels.
    Nhwc,
}

/// `(level / 255 - mean) / std` as a table of 256 numbers for each channel.
#[derive(Debug, Clone)]
pub struct Normaliser {
    tables: Vec<[f32; 256]>,
}

impl Normaliser {
    /// Makes the tables.
    ///
    /// # Errors
    /// [`PixelError::Settings`] if there is not one finite mean, and one finite std above 0, for each channel.
    pub fn new(preprocess: &Preprocess) -> Result<Self, PixelError> {
        let channels = preprocess.channels.count();
        for (name, values) in [("mean", &preprocess.mean), ("std", &preprocess.std)] {
            if values.len() != channels || values.iter().any(|value| !value.is_finite()) {
                return Err(PixelError::Settings {
                    reason: format!("{name} is {values:?}; give {channels} finite number(s), one a channel"),
                });
            }
        }
        if let Some(std) = preprocess.std.iter().find(|std| **std <= 0.0) {
            return Err(PixelError::Settings { reason: format!("std holds {std}; give numbers above 0") });
        }
        let tables = preprocess.mean.iter().zip(&preprocess.std);
        Ok(Normaliser { tables: tables.map(|(mean, std)| table(*mean, *std)).collect() })
    }

    /// Writes the numbers of one image, or of several that lie one after another, each of `pixels_per_image` pixels.
    ///
    /// Takes whole images only; `out` needs as many numbers as `pixels` has bytes, in the same order of images.
    pub fn normalise(&self, pixels: &[u8], pixels_per_image: usize, layout: Layout, out: &mut [f32]) {
        let size = pixels_per_image * self.tables.len();
        if size == 0 {
            return;
        }
        for (image, out) in pixels.chunks_exact(size).zip(out.chunks_exact_mut(size)) {
            match (layout, self.tables.as_slice()) {
                (_, [table]) => look_up(image, table, out),
                (Layout::Nhwc, [red, green, blue]) => {
                    for (to, pixel) in out.as_chunks_mut::<3>().0.iter_mut().zip(image.as_chunks::<3>().0) {
                        *to = [red[usize::from(pixel[0])], green[usize::from(pixel[1])], blue[usize::from(pixel[2])]];
                    }
                }
                (Layout::Nchw, [red, green, blue]) => {
                    let (first, rest) = out.split_at_mut(pixels_per_image);
                    let (second, third) = rest.split_at_mut(pixels_per_image);
                    let planes = first.iter_mut().zip(second).zip(third);
                    for (((r, g), b), pixel) in planes.zip(image.as_chunks::<3>().0) {
                        *r = red[usize::from(pixel[0])];
                        *g = green[usize::from(pixel[1])];
                        *b = blue[usize::from(pixel[2])];
                    }
                }
                _ => {}
            }
        }
    }
}

impl Preprocess {
    /// Writes `(level / 255 - mean) / std` of one image, `pixels` in HWC, to `out` in `layout`; as many numbers as
    /// bytes. For more than a few images, make a [`Normaliser`] once.
    ///
    /// # Errors
    /// [`PixelError::Settings`], see [`Normaliser::new`].
    pub fn normalise(&self, pixels: &[u8], layout: Layout, out: &mut [f32]) -> Result<(), PixelError> {
        let image = self.bytes() / self.channels.count();
        Normaliser::new(self)?.normalise(pixels, image, layout, out);
        Ok(())
    }
}

fn look_up(image: &[u8], table: &[f32; 256], out: &mut [f32]) {
    for (to, level) in out.iter_mut().zip(image) {
        *to = table[usize::from(*level)];
    }
}

/// In f32 step by step, as torchvision's `ToTensor` and `Normalize` do it.
fn table(mean: f32, std: f32) -> [f32; 256] {
    std::array::from_fn(|level| (level as f32 / 255.0 - mean) / std)
}

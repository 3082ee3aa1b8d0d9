//! Encoded bytes to raw pixels; the kind of a file is told by its first bytes, never by its name.

use std::io::Cursor;
use std::path::Path;

use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, webp::WebPDecoder};
use image::{ColorType, ImageDecoder, ImageError, ImageFormat};
use png::{BitDepth, Transformations};

use super::PixelError;
use super::colour::{Kind, Picture};
use super::jpeg;

/// Bytes of a pixel as GIF frames are decoded.
const RGBA_BYTES: u64 = 4;

/// Decodes `encoded` into `raw`, whose old content is lost and whose room is used again. An image that announces more than
/// `most_pixels` is refused by its header, before anything is allocated for it.
pub(super) fn decode(encoded: &[u8], path: &Path, most_pixels: u64, raw: &mut Vec<u8>) -> Result<Picture, PixelError> {
    let source = Source { encoded, path, most_pixels };
    match image::guess_format(encoded) {
        Ok(ImageFormat::Png) => source.png(raw),
        Ok(ImageFormat::Jpeg) => jpeg::decode(&source, raw),
        Ok(ImageFormat::WebP) => source.other(WebPDecoder::new(Cursor::new(encoded)), raw),
        Ok(ImageFormat::Bmp) => source.other(BmpDecoder::new(Cursor::new(encoded)), raw),
        Ok(ImageFormat::Gif) => source.other(GifDecoder::new(Cursor::new(encoded)), raw),
        _ if encoded.is_empty() => Err(source.corrupt("the file is empty")),
        _ => Err(source.corrupt("its first bytes are those of no known kind of image")),
    }
}

/// An encoded image and the name it goes by in errors.
pub(super) struct Source<'a> {
    pub encoded: &'a [u8],
    pub path: &'a Path,
    pub most_pixels: u64,
}

impl Source<'_> {
    pub fn corrupt(&self, reason: impl ToString) -> PixelError {
        PixelError::Corrupt { path: self.path.into(), reason: reason.to_string() }
    }

    /// Refuses a size beyond the limit, or without pixels.
    pub fn check_size(&self, width: u32, height: u32) -> Result<(), PixelError> {
        if width == 0 || height == 0 {
            return Err(self.corrupt(format!("it announces {width}x{height} pixels")));
        }
        if u64::from(width) * u64::from(height) > self.most_pixels {
            return Err(PixelError::TooLarge { path: self.path.into(), width, height, limit: self.most_pixels });
        }
        Ok(())
    }

    fn png(&self, raw: &mut Vec<u8>) -> Result<Picture, PixelError> {
        let mut decoder = png::Decoder::new(Cursor::new(self.encoded));
        decoder.set_transformations(Transformations::EXPAND);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        let header = decoder.read_header_info().map_err(|error| self.corrupt(error))?;
        self.check_size(header.width, header.height)?;
        let mut reader = decoder.read_info().map_err(|error| self.corrupt(error))?;
        let size = reader.output_buffer_size().ok_or_else(|| self.corrupt("its size overflows"))?;
        raw.resize(size, 0);
        // The first frame of an animation may be smaller than the whole.
        let frame = reader.next_frame(raw).map_err(|error| self.corrupt(error))?;
        let keyed = reader.info().color_type == png::ColorType::Grayscale;
        let kind = match (frame.color_type, frame.bit_depth) {
            (png::ColorType::Grayscale, BitDepth::Sixteen) => Kind::Grey16,
            (png::ColorType::GrayscaleAlpha, BitDepth::Sixteen) if keyed => Kind::Grey16Keyed,
            (png::ColorType::GrayscaleAlpha, BitDepth::Sixteen) => Kind::GreyAlpha16,
            (png::ColorType::Rgb, BitDepth::Sixteen) => Kind::Rgb16,
            (png::ColorType::Rgba, BitDepth::Sixteen) => Kind::Rgba16,
            (png::ColorType::Grayscale, _) => Kind::Grey,
            (png::ColorType::GrayscaleAlpha, _) => Kind::GreyAlpha,
            (png::ColorType::Rgb, _) => Kind::Rgb,
            (png::ColorType::Rgba, _) => Kind::Rgba,
            (png::ColorType::Indexed, _) => return Err(self.corrupt("its palette is missing")),
        };
        Ok(Picture { width: frame.width, height: frame.height, kind })
    }

    fn other(&self, decoder: Result<impl ImageDecoder, ImageError>, raw: &mut Vec<u8>) -> Result<Picture, PixelError> {
        let mut decoder = decoder.map_err(|error| self.corrupt(error))?;
        let (width, height) = decoder.dimensions();
        self.check_size(width, height)?;
        // A frame of a GIF has a size of its own, for which the picture's says nothing.
        let mut limits = image::Limits::no_limits();
        limits.max_alloc = Some(self.most_pixels.saturating_mul(RGBA_BYTES));
        decoder.set_limits(limits).map_err(|error| self.failed(error))?;
        let kind = match decoder.color_type() {
            ColorType::L8 => Kind::Grey,
            ColorType::La8 => Kind::GreyAlpha,
            ColorType::Rgb8 => Kind::Rgb,
            ColorType::Rgba8 => Kind::Rgba,
            other => return Err(self.corrupt(format!("its colours are {other:?}, which these kinds do not have"))),
        };
        let size = usize::try_from(decoder.total_bytes()).map_err(|error| self.corrupt(error))?;
        raw.resize(size, 0);
        decoder.read_image(raw).map_err(|error| self.failed(error))?;
        Ok(Picture { width, height, kind })
    }

    fn failed(&self, error: ImageError) -> PixelError {
        match error {
            ImageError::Limits(_) => {
                self.corrupt(format!("a frame of it claims more than the {} pixels that are decoded", self.most_pixels))
            }
            error => self.corrupt(error),
        }
    }
}

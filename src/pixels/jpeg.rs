//! JPEG.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::PixelError;
use super::colour::{Kind, Picture};
use super::decode::Source;

pub(super) fn decode(source: &Source, raw: &mut Vec<u8>) -> Result<Picture, PixelError> {
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(65_535).set_max_height(65_535);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(source.encoded), options);
    decoder.decode_headers().map_err(|error| source.corrupt(format!("{error:?}")))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| source.corrupt("it has no frame header"))?;
    let (width, height) = (width as u32, height as u32);
    source.check_size(width, height)?;
    let (space, kind) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (ColorSpace::Luma, Kind::Grey),
        _ => (ColorSpace::RGB, Kind::Rgb),
    };
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(space));
    let size = decoder.output_buffer_size().ok_or_else(|| source.corrupt("its size is unknown"))?;
    raw.resize(size, 0);
    decoder.decode_into(raw).map_err(|error| source.corrupt(format!("{error:?}")))?;
    Ok(Picture { width, height, kind })
}

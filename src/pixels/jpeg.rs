//! JPEG, by the code that Pillow uses too.
//!
//! The standard leaves the inverse transform and the enlarging of the chroma planes to the decoder, and decoders differ:
//! zune-jpeg is up to 5 levels from libjpeg-turbo on common photographs, and up to 40 on images below 8 pixels. mozjpeg
//! decodes with libjpeg-turbo's accurate integer transform and its triangle filter for chroma, to the bit.

use std::any::Any;
use std::cell::Cell;
use std::io::{BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mozjpeg::{ColorSpace, Decompress};

use super::PixelError;
use super::colour::{Kind, Picture};
use super::decode::Source;

/// Decodes a JPEG into `raw`.
pub(super) fn decode(source: &Source, raw: &mut Vec<u8>) -> Result<Picture, PixelError> {
    let ended = Cell::new(false);
    // libjpeg reports a fatal error by unwinding (without the panic hook, so nothing is printed); it ends here.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_unwinding(source, &ended, raw)));
    match decoded {
        Ok(Ok(picture)) => Ok(picture),
        // Running out of bytes is what the decoder stumbled over, whatever it then called it.
        Ok(Err(Failure::Io(_))) | Err(_) if ended.get() => Err(source.corrupt("the file ends before the picture does")),
        Ok(Err(Failure::Io(error))) => Err(source.corrupt(error)),
        Ok(Err(Failure::Refused(error))) => Err(error),
        Err(payload) => Err(source.corrupt(message(payload.as_ref()))),
    }
}

/// Why a JPEG gave no pixels.
enum Failure {
    Io(std::io::Error),
    Refused(PixelError),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Io(error)
    }
}

fn decode_unwinding(source: &Source, ended: &Cell<bool>, raw: &mut Vec<u8>) -> Result<Picture, Failure> {
    // Only the header is read before the size has been checked.
    let header = Decompress::builder().from_reader(Whole { rest: source.encoded, ended })?;
    let too_large = |_| Failure::Refused(source.corrupt("its size overflows"));
    let width = u32::try_from(header.width()).map_err(too_large)?;
    let height = u32::try_from(header.height()).map_err(too_large)?;
    source.check_size(width, height).map_err(Failure::Refused)?;
    let (space, kind) = match header.components().len() {
        1 => (ColorSpace::JCS_GRAYSCALE, Kind::Grey),
        3 => (ColorSpace::JCS_RGB, Kind::Rgb),
        4 => (ColorSpace::JCS_CMYK, Kind::Cmyk),
        count => return Err(Failure::Refused(source.corrupt(format!("it has {count} colour components")))),
    };
    let mut picture = header.to_colorspace(space)?;
    raw.resize(picture.min_flat_buffer_size(), 0);
    picture.read_scanlines_into::<u8>(raw)?;
    picture.finish()?;
    Ok(Picture { width, height, kind })
}

/// The bytes of a file, of which the end is an error: libjpeg by itself fills up a picture that is cut short with grey.
struct Whole<'a> {
    rest: &'a [u8],
    ended: &'a Cell<bool>,
}

impl Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.rest.read(buffer)
    }
}

impl BufRead for Whole<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.rest.is_empty() {
            self.ended.set(true);
            return Err(std::io::Error::other("the file ends before the picture does"));
        }
        Ok(self.rest)
    }

    fn consume(&mut self, amount: usize) {
        self.rest = self.rest.get(amount..).unwrap_or_default();
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("the JPEG decoder gave up");
    text.trim_start_matches("libjpeg fatal error: ").to_owned()
}

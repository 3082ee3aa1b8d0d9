//! Turning hues, by way of the HSV of `Image.convert`: hue, saturation and value of 8 bits each.

use super::Canvas;

/// Turns every hue by so much of the circle, as torchvision's `adjust_hue` does to a Pillow image.
pub(super) fn change(turn: f64, canvas: &mut Canvas) {
    // Cut off, and then taken modulo 256.
    let turn = (turn * 255.0) as i32 as u8;
    for pixel in canvas.pixels.as_chunks_mut::<3>().0 {
        let [hue, saturation, value] = to_hsv(*pixel);
        *pixel = from_hsv([hue.wrapping_add(turn), saturation, value]);
    }
}

fn to_hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let below = |level: u8| f32::from(most - level) / range;
    let (red_below, green_below, blue_below) = (below(red), below(green), below(blue));
    let sixths = if red == most {
        blue_below - green_below
    } else if green == most {
        (2.0 + f64::from(red_below) - f64::from(blue_below)) as f32
    } else {
        (4.0 + f64::from(green_below) - f64::from(red_below)) as f32
    };
    let hue = ((f64::from(sixths) / 6.0 + 1.0) % 1.0) as f32;
    let saturation = range / f32::from(most);
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, most]
}

fn from_hsv([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    let sixths = f64::from(hue) * 6.0 / 255.0;
    let sector = sixths.floor();
    let within = f64::from((sixths - sector) as f32);
    let saturation = f64::from((f64::from(saturation) / 255.0) as f32);
    let level = |share: f64| (f64::from(value) * (1.0 - share)).round() as u8;
    let (low, falling, rising) = (level(saturation), level(saturation * within), level(saturation * (1.0 - within)));
    match sector as u8 % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}

//! Arrays as pictures: those that users give, and weights.

use crate::png::Pixels;
use carnyx_graph::{Array, DType, Error, Result};

/// The pictures in an array: `[height, width]`, `[height, width, channels]` or `[samples, height, width, channels]`.
/// Floats go from 0, black, to 1; integers from 0 to 255. What lies outside is taken as the nearest of these, and what
/// is no number as 0.
///
/// # Errors
/// `shape`, if that is not the shape of pictures.
pub(crate) fn pictures(array: &Array) -> Result<Vec<Pixels>> {
    let (samples, height, width, channels) = match *array.shape() {
        [height, width] => (1, height, width, 1),
        [height, width, channels] => (1, height, width, channels),
        [samples, height, width, channels] => (samples, height, width, channels),
        _ => return Err(wrong(array, "a picture has two or three axes, several have four")),
    };
    if !(1..=4).contains(&channels) {
        return Err(wrong(array, &format!("the last axis are channels: one to four, not {channels}")));
    }
    if array.is_empty() {
        return Err(wrong(array, "there are no pixels"));
    }
    let bytes = levels(array);
    let picture = bytes.chunks(height * width * channels);
    Ok(picture.take(samples).map(|bytes| Pixels { width, height, channels, bytes: bytes.to_vec() }).collect())
}

/// A variable as a picture in grey, from its smallest value, black, to its greatest. A matrix that is taller than wide
/// is laid on its side; a vector stands; of three axes, the last one are pictures. `None` for other shapes.
pub(crate) fn picture_of_weights(array: &Array) -> Option<Vec<Pixels>> {
    let shape: Vec<usize> = array.shape().iter().copied().filter(|&size| size != 1).collect();
    let (grey, len) = (shades(array), array.len());
    if len == 0 {
        return None;
    }
    let picture = |height, width, bytes| Pixels { width, height, channels: 1, bytes };
    let strided = |first: usize, count: usize, step: usize| -> Vec<u8> {
        (0..count).map(|i| grey[first + i * step]).collect()
    };
    match *shape.as_slice() {
        [height] => Some(vec![picture(height, 1, grey)]),
        [rows, columns] if rows > columns => {
            let turned = (0..columns).flat_map(|column| strided(column, rows, columns)).collect();
            Some(vec![picture(columns, rows, turned)])
        }
        [rows, columns] => Some(vec![picture(rows, columns, grey)]),
        [height, width, filters] => {
            let filter = |filter| picture(height, width, strided(filter, height * width, filters));
            Some((0..filters).map(filter).collect())
        }
        _ => None,
    }
}

fn levels(array: &Array) -> Vec<u8> {
    match array.dtype() {
        DType::U8 => array.to_vec(),
        DType::Bool => array.to_vec::<u8>().iter().map(|&on| on * 255).collect(),
        DType::I32 | DType::I64 => {
            array.to_vec::<i64>().iter().map(|&level| level.clamp(0, 255) as u8).collect()
        }
        // A cast takes what is no number as 0, and what lies outside as the nearest level.
        DType::F32 | DType::F64 => {
            array.to_vec::<f64>().iter().map(|&share| (share * 255.0).round() as u8).collect()
        }
    }
}

/// Black for the smallest value, white for the greatest; grey, if all are one value.
fn shades(array: &Array) -> Vec<u8> {
    let values = array.to_vec::<f64>();
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (least, greatest) =
        (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let half_width = greatest / 2.0 - least / 2.0;
    let shade = |value: &f64| match (value / 2.0 - least / 2.0) / half_width {
        _ if half_width == 0.0 => 128,
        share => (share * 255.0).round() as u8,
    };
    values.iter().map(shade).collect()
}

fn wrong(array: &Array, why: &str) -> Error {
    Error::new("shape", format!("an array of shape {:?} is no picture", array.shape()))
        .label(why)
        .help("the shapes are `[height, width]`, `[height, width, channels]` and `[samples, height, width, channels]`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_levels_are_pixels() -> Result {
        let shares = Array::from([[0f32, 1.0, 0.5], [-1.0, 2.0, f32::NAN]]);
        assert_eq!(
            pictures(&shares)?,
            [Pixels { width: 3, height: 2, channels: 1, bytes: vec![0, 255, 128, 0, 255, 0] }]
        );
        let levels = Array::from([[7u8, 255]]);
        assert_eq!(pictures(&levels)?[0].bytes, [7, 255]);
        assert_eq!(pictures(&Array::from([[300i64, -5]]))?[0].bytes, [255, 0]);
        assert_eq!(pictures(&Array::from([[true, false]]))?[0].bytes, [255, 0]);
        let many = Array::from_fn([3, 2, 2, 3], |i| i as u8);
        let pictures = pictures(&many)?;
        assert_eq!((pictures.len(), pictures[1].channels), (3, 3));
        assert_eq!(pictures[1].bytes, (12..24).collect::<Vec<u8>>());
        Ok(())
    }

    #[test]
    fn weights_are_laid_on_their_side() {
        let tall = Array::from([[0f32, 3.0], [1.0, 4.0], [2.0, 5.0]]);
        let turned = picture_of_weights(&tall).unwrap();
        assert_eq!((turned[0].width, turned[0].height), (3, 2));
        assert_eq!(turned[0].bytes, [0, 51, 102, 153, 204, 255]);
        let bias = picture_of_weights(&Array::full([4], 2f32)).unwrap();
        assert_eq!((bias[0].width, bias[0].height, &bias[0].bytes[..]), (1, 4, &[128; 4][..]));
        let filters = picture_of_weights(&Array::from_fn([2, 2, 3], |i| i as f32)).unwrap();
        assert_eq!(filters.len(), 3);
        assert_eq!(filters[1].bytes, [23, 93, 162, 232]);
        assert!(picture_of_weights(&Array::full([2, 2, 2, 2], 1f32)).is_none());
        assert!(picture_of_weights(&Array::from_fn([1, 2, 1, 3], |i| i as f32)).is_some());
        let odd = picture_of_weights(&Array::from([f32::NAN, 0.0, 1.0])).unwrap();
        assert_eq!(odd[0].bytes, [0, 0, 255]);
    }
}

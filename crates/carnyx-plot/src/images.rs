//! Numbers as pictures: images of a data set, and weights of units that look at images.

use crate::Figure;
use crate::canvas::{Canvas, Rgb, Stroke, Words};
use crate::colors::{FAINT, FRAME, around_zero, gray};
use crate::heading::{LABEL_SIZE, MARGIN, title};
use crate::layout::Rect;
use crate::panel::Drawn;
use crate::text::{cut, text_width};
use carnyx_graph::{Array, DType, Error, Result};
use std::panic::Location;
use std::path::Path;

/// Small pictures in a grid: images in grey or in colours, or weights, blue where they are negative, brown where they
/// are positive, white at zero.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_plot::ImageGrid;
/// // What 6 units of a first layer look for in images of 4 by 4 pixels.
/// let kernel = Array::from_fn([16, 6], |i| (i % 7) as f32 - 3.0);
/// let svg = ImageGrid::of_kernel(&kernel, [4, 4])?.title("first layer").columns(3).to_svg()?;
/// assert!(svg.contains("first layer"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageGrid {
    title: String,
    captions: Vec<String>,
    columns: Option<usize>,
    at_most: usize,
    look: Look,
    /// `[images, height, width, channels]`.
    images: Array,
}

/// How numbers become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Look {
    Gray,
    Rgb,
    Weights,
}

/// So many images are shown unless `at_most` says otherwise.
const AT_MOST: usize = 100;
/// The space between images.
const GAP: f64 = 6.0;
const CAPTION_SIZE: f64 = 10.0;

impl ImageGrid {
    /// Images of a data set: `[images, height, width]` or `[images, height, width, 1]` in grey,
    /// `[images, height, width, 3]` in colours. One image alone is `[height, width]`.
    ///
    /// Bytes go from 0, black, to 255, white; of other numbers, the least one that is shown is black and the greatest
    /// white.
    ///
    /// # Errors
    /// `shape`, if these are not images; `data`, if there are none.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_plot::ImageGrid;
    /// let images = Array::from_fn([5, 8, 8], |i| (i % 256) as u8);
    /// assert!(ImageGrid::of(&images)?.to_svg()?.starts_with("<svg "));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of(images: &Array) -> Result<ImageGrid> {
        let site = Location::caller();
        let (shape, look) = match *images.shape() {
            [height, width] => ([1, height, width, 1], Look::Gray),
            [n, height, width] | [n, height, width, 1] => ([n, height, width, 1], Look::Gray),
            [n, height, width, 3] => ([n, height, width, 3], Look::Rgb),
            _ => {
                let title = format!("{:?} is not the shape of images", images.shape());
                return Err(Error::new("shape", title).at(site).help(
                    "give [images, height, width], with a last axis of 1 or 3 channels if there is one",
                ));
            }
        };
        if images.is_empty() {
            let title = format!("there are no images in an array of shape {:?}", images.shape());
            return Err(Error::new("data", title).at(site));
        }
        Ok(ImageGrid::new(images.reshape(shape)?, look))
    }

    /// The weights of units as images: `kernel` is that of a dense layer, `[height * width, units]`, whose inputs are
    /// the pixels of images, row by row.
    ///
    /// All images have one scale of colours, so that strong units look strong.
    ///
    /// # Errors
    /// `shape`, if the kernel does not fit the images; `data`, if there are no units.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_plot::ImageGrid;
    /// let kernel = Array::from_fn([784, 10], |i| (i as f32).sin());
    /// ImageGrid::of_kernel(&kernel, [28, 28])?.to_svg()?;
    /// assert!(ImageGrid::of_kernel(&kernel, [16, 16]).is_err()); // 256 pixels are not 784 inputs
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of_kernel(kernel: &Array, [height, width]: [usize; 2]) -> Result<ImageGrid> {
        let site = Location::caller();
        let error = |title| Error::new("shape", title).at(site);
        let [inputs, units] = *kernel.shape() else {
            return Err(error(format!(
                "a kernel of shape {:?} is not that of a dense layer",
                kernel.shape()
            ))
            .help("give [inputs, units]: `layer.kernel().value()?`"));
        };
        if height.checked_mul(width) != Some(inputs) {
            return Err(error(format!(
                "the kernel has {inputs} inputs, but images of {height} by {width} have {} pixels",
                height.saturating_mul(width)
            ))
            .help("give height and width of the images that the layer looks at"));
        }
        if kernel.is_empty() {
            let title = format!("there are no weights in a kernel of shape {:?}", kernel.shape());
            return Err(Error::new("data", title).at(site));
        }
        let weights = kernel.values();
        let unit_by_unit = |i: usize| weights[i % inputs * units + i / inputs];
        let images = Array::from_fn([units, height, width, 1], unit_by_unit);
        Ok(ImageGrid::new(images, Look::Weights))
    }

    fn new(images: Array, look: Look) -> ImageGrid {
        let (title, captions) = (String::new(), Vec::new());
        ImageGrid { title, captions, columns: None, at_most: AT_MOST, look, images }
    }

    /// Puts these words above the images.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ImageGrid;
    /// let grid = ImageGrid::of(&Array::from_fn([4, 8, 8], |i| i as f32))?.title("shoes");
    /// assert!(grid.to_svg()?.contains("shoes"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn title(mut self, title: impl Into<String>) -> ImageGrid {
        self.title = title.into();
        self
    }

    /// Puts words below each image, in their order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ImageGrid;
    /// let grid = ImageGrid::of(&Array::from_fn([2, 8, 8], |i| i as f32))?;
    /// assert!(grid.captions(["boot", "shirt"]).to_svg()?.contains("shirt"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn captions<S: Into<String>>(mut self, captions: impl IntoIterator<Item = S>) -> ImageGrid {
        self.captions = captions.into_iter().map(Into::into).collect();
        self
    }

    /// How many images stand beside each other; without it, the grid is about as wide as high.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ImageGrid;
    /// let grid = ImageGrid::of(&Array::from_fn([12, 8, 8], |i| i as f32))?;
    /// assert_ne!(grid.clone().columns(12).to_svg()?, grid.to_svg()?); // one row
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn columns(mut self, columns: usize) -> ImageGrid {
        self.columns = Some(columns.max(1));
        self
    }

    /// How many images are shown at most, the first ones; 100 without it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ImageGrid;
    /// let grid = ImageGrid::of(&Array::from_fn([300, 8, 8], |i| i as f32))?;
    /// assert!(grid.at_most(25).to_svg()?.contains("25 of 300 images"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn at_most(mut self, images: usize) -> ImageGrid {
        self.at_most = images.max(1);
        self
    }

    /// The grid as the text of an SVG file.
    ///
    /// # Errors
    /// `data`, if a number that is shown is not finite, or the number of captions is not that of images.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ImageGrid;
    /// assert!(ImageGrid::of(&Array::from_fn([4, 8, 8], |i| i as f32))?.to_svg()?.starts_with("<svg "));
    /// assert!(ImageGrid::of(&Array::full([4, 8, 8], f32::NAN))?.to_svg().is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_svg(&self) -> Result<String> {
        Figure::of(self.clone()).to_svg()
    }

    /// Writes the grid as a file, in full or not at all: see [`Figure::save`].
    ///
    /// # Errors
    /// As [`ImageGrid::to_svg`] and [`Figure::save`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ImageGrid;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("weights.svg");
    /// let kernel = Array::from_fn([64, 30], |i| (i as f32).sin());
    /// ImageGrid::of_kernel(&kernel, [8, 8])?.save(&path)?;
    /// # assert!(path.exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        Figure::of(self.clone()).save(path)
    }
}

/// Where the images are, seen from the corner of the grid.
struct Plan {
    shown: usize,
    columns: usize,
    /// The size of an image on the picture, without what is below it.
    image: (f64, f64),
    caption: f64,
    width: f64,
    height: f64,
}

impl ImageGrid {
    fn plan(&self) -> Plan {
        let shown = self.images.num_rows().min(self.at_most);
        let square = (shown as f64).sqrt().ceil() as usize;
        let columns = self.columns.unwrap_or(square.min(20)).min(shown);
        let (height, width) = (self.images.shape()[1] as f64, self.images.shape()[2] as f64);
        let side = ((512.0 + GAP) / columns as f64 - GAP).clamp(28.0, 180.0);
        // The longer side of all images is the same, and the shorter one can still be seen.
        let scale = side / width.max(height);
        let image = ((width * scale).max(2.0), (height * scale).max(2.0));
        let caption = if self.captions.is_empty() { 0.0 } else { CAPTION_SIZE + 6.0 };
        let rows = shown.div_ceil(columns) as f64;
        let heading = if self.title.is_empty() { 0.0 } else { 21.0 };
        let note = if self.note(shown, 0.0).is_empty() { 0.0 } else { LABEL_SIZE + 8.0 };
        Plan {
            shown,
            columns,
            image,
            caption,
            width: 2.0 * MARGIN + columns as f64 * (image.0 + GAP) - GAP,
            height: 2.0 * MARGIN + heading + note + rows * (image.1 + caption + GAP) - GAP,
        }
    }

    /// What a reader has to know: how many there are if not all are shown, and what colours mean.
    fn note(&self, shown: usize, largest: f64) -> String {
        let total = self.images.num_rows();
        let (kind, scale) = match self.look {
            Look::Weights => ("units", format!("blue: -{largest:.2}, brown: {largest:.2}")),
            _ => ("images", String::new()),
        };
        let count = if shown < total { format!("{shown} of {total} {kind}") } else { String::new() };
        [count, scale].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    /// The images that are shown, one after the other, if all their numbers are finite.
    fn values(&self, shown: usize) -> Result<Vec<f32>> {
        let values = self.images.rows(0..shown)?.values();
        let Some(place) = values.iter().position(|value| !value.is_finite()) else { return Ok(values) };
        let (image, value) = (place / self.images.row_len(), values[place]);
        Err(match self.look {
            Look::Weights => Error::new("data", format!("a weight of unit {image} is {value}")),
            _ => Error::new("data", format!("a pixel of image {image} is {value}")),
        })
    }

    fn colors(&self, values: &[f32]) -> (Vec<Rgb>, f64) {
        let largest = values.iter().fold(0f64, |largest, &value| largest.max(f64::from(value).abs()));
        let (low, high) = match self.images.dtype() {
            DType::U8 => (0.0, 255.0),
            DType::Bool => (0.0, 1.0),
            _ => values
                .iter()
                .map(|&value| f64::from(value))
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                    (low.min(value), high.max(value))
                }),
        };
        // An image of one number is grey.
        let level = |value: f32| if high > low { (f64::from(value) - low) / (high - low) } else { 0.5 };
        let colors = match self.look {
            Look::Gray => values.iter().map(|&value| gray(level(value))).collect(),
            Look::Rgb => {
                let byte = |value: f32| (level(value) * 255.0).round() as u8;
                values.chunks(3).map(|rgb| Rgb(byte(rgb[0]), byte(rgb[1]), byte(rgb[2]))).collect()
            }
            // 64 shades are more than can be told apart, and make a smaller file.
            Look::Weights => {
                let shade = |value: f32| (f64::from(value) / largest.max(1e-30) * 32.0).round() / 32.0;
                values.iter().map(|&value| around_zero(shade(value))).collect()
            }
        };
        (colors, largest)
    }
}

impl Drawn for ImageGrid {
    fn size(&self) -> (f64, f64) {
        let plan = self.plan();
        // A narrow grid still has room for its title.
        let title = 2.0 * MARGIN + text_width(&self.title, 15.0, true);
        (plan.width.max(title.clamp(220.0, 540.0)), plan.height)
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect) -> Result {
        let (total, plan) = (self.images.num_rows(), self.plan());
        if !self.captions.is_empty() && self.captions.len() != total {
            return Err(Error::new("data", format!("{} captions for {total} images", self.captions.len()))
                .help("give each image its caption, even if not all are shown"));
        }
        let (colors, largest) = self.colors(&self.values(plan.shown)?);
        let mut top = title(canvas, area, &self.title);
        let note = self.note(plan.shown, largest);
        if !note.is_empty() {
            let at = (area.x + MARGIN, top + LABEL_SIZE / 2.0);
            canvas.words(Words::new(&note, LABEL_SIZE, at).color(FAINT));
            top += LABEL_SIZE + 8.0;
        }
        let (width, height) = plan.image;
        let (right, down) = (width + GAP, height + plan.caption + GAP);
        let pixels = colors.len() / plan.shown;
        for (i, image) in colors.chunks(pixels).enumerate() {
            let (row, column) = (i / plan.columns, i % plan.columns);
            let (x, y) = (area.x + MARGIN + column as f64 * right, top + row as f64 * down);
            let rect = Rect { x, y, width, height };
            canvas.cells(rect, self.images.shape()[2], image);
            canvas.border(rect, Stroke::new(FRAME, 0.5));
            if let Some(caption) = self.captions.get(i) {
                let caption = cut(caption, CAPTION_SIZE, width + GAP);
                let below = (x + width / 2.0, y + height + 3.0 + CAPTION_SIZE / 2.0);
                canvas.words(Words::new(&caption, CAPTION_SIZE, below).centered());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colors::WHITE;

    #[test]
    fn a_unit_is_a_column_of_the_kernel() {
        // Unit 1 looks at the first pixel of the second row, with the largest weight of all.
        let mut weights = vec![0f32; 6 * 2];
        weights[3 * 2 + 1] = -4.0;
        weights[0] = 2.0;
        let kernel = Array::new([6, 2], weights).unwrap();
        let grid = ImageGrid::of_kernel(&kernel, [2, 3]).unwrap();
        let (colors, largest) = grid.colors(&grid.values(2).unwrap());
        assert_eq!(largest, 4.0);
        let mut expected = vec![WHITE; 12];
        (expected[0], expected[6 + 3]) = (around_zero(0.5), around_zero(-1.0));
        assert_eq!(colors, expected);
        assert!(grid.to_svg().unwrap().contains("blue: -4.00, brown: 4.00"));
    }

    #[test]
    fn bytes_have_a_fixed_scale_and_other_numbers_their_own() {
        let colors = |images: &Array| {
            let grid = ImageGrid::of(images).unwrap();
            grid.colors(&grid.values(1).unwrap()).0
        };
        assert_eq!(colors(&Array::from([[0u8, 51]])), [Rgb(0, 0, 0), Rgb(51, 51, 51)]);
        assert_eq!(colors(&Array::from([[-1f32, 0.0, 1.0]]))[1], gray(0.5));
        assert_eq!(colors(&Array::from([[7f32, 7.0]])), [gray(0.5); 2]);
        let rgb = Array::new([1, 1, 2, 3], vec![255u8, 0, 0, 0, 0, 255]).unwrap();
        assert_eq!(colors(&rgb), [Rgb(255, 0, 0), Rgb(0, 0, 255)]);
    }

    #[test]
    fn messages() {
        let images = Array::full([3, 2, 2], 1f32);
        let captions = ImageGrid::of(&images).unwrap().captions(["a"]).to_svg().unwrap_err();
        assert_eq!(captions.title(), "1 captions for 3 images");
        let mut broken = images.clone();
        broken.as_mut_slice::<f32>().unwrap()[5] = f32::NAN;
        assert_eq!(
            ImageGrid::of(&broken).unwrap().to_svg().unwrap_err().title(),
            "a pixel of image 1 is NaN"
        );
        let kernel = Array::full([4, 2], f32::INFINITY);
        let weights = ImageGrid::of_kernel(&kernel, [2, 2]).unwrap().to_svg().unwrap_err();
        assert_eq!(weights.title(), "a weight of unit 0 is inf");
    }
}

//! Turns the text of an SVG into the bytes of a PNG: the only place that names `resvg`.
//!
//! Invariant: the font is part of the program and the fonts of the machine are not looked at, so that the same picture
//! has the same bytes everywhere.

use carnyx_graph::{Error, Result};

/// The bytes of a PNG with two pixels for each point, or why there are none.
#[cfg(feature = "png")]
pub(crate) fn drawn(svg: &str) -> Result<Vec<u8>> {
    use resvg::tiny_skia::{Pixmap, Transform};
    use resvg::usvg::{Options, Tree};

    const SCALE: f32 = 2.0;
    let mut options = Options { font_family: FAMILY.to_owned(), ..Options::default() };
    let fonts = options.fontdb_mut();
    FONTS.iter().for_each(|font| fonts.load_font_data(font.to_vec()));
    fonts.set_sans_serif_family(FAMILY);
    let cannot_draw = |e| Error::new("data", "the picture cannot be drawn as PNG").because(e);
    let tree = Tree::from_str(svg, &options).map_err(cannot_draw)?;
    let [width, height] = [tree.size().width(), tree.size().height()].map(|length| (length * SCALE).ceil());
    let mut pixels = (width <= MAX_SIDE && height <= MAX_SIDE)
        .then(|| Pixmap::new(width as u32, height as u32))
        .flatten()
        .ok_or_else(|| {
            Error::new("data", format!("a picture of {width} by {height} pixels is too large for PNG"))
                .help("save it as `.svg`, which has no pixels, or draw less")
        })?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| Error::new("data", "the picture cannot be written as PNG").because(e))
}

/// The bytes of a PNG with two pixels for each point, or why there are none.
#[cfg(not(feature = "png"))]
pub(crate) fn drawn(_svg: &str) -> Result<Vec<u8>> {
    Err(Error::new("feature", "PNG is drawn by the feature `png`, which is off")
        .help("turn it on: `carnyx = { …, features = [\"png\"] }`; `.svg` needs no feature"))
}

/// Pictures of more pixels take more memory than a machine has.
#[cfg(feature = "png")]
const MAX_SIDE: f32 = 20_000.0;

#[cfg(feature = "png")]
const FAMILY: &str = "Arimo";
#[cfg(feature = "png")]
const FONTS: [&[u8]; 2] =
    [include_bytes!("../fonts/Arimo-Regular.ttf"), include_bytes!("../fonts/Arimo-Bold.ttf")];

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "png"))]
    #[test]
    fn without_the_feature_there_is_a_way_to_it() {
        assert_eq!(
            drawn("<svg/>").unwrap_err().to_string(),
            "error[feature]: PNG is drawn by the feature `png`, which is off\n  \
             = help: turn it on: `carnyx = { …, features = [\"png\"] }`; `.svg` needs no feature"
        );
    }

    #[cfg(feature = "png")]
    #[test]
    fn a_picture_has_its_pixels_and_its_letters() {
        let svg = |text: &str| {
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"30.2\" font-family=\"{}\">\
                 <rect width=\"100\" height=\"30.2\" fill=\"#ffffff\"/><text x=\"5\" y=\"20\">{text}</text></svg>",
                crate::text::FONTS
            )
        };
        let png = drawn(&svg("loss")).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((side(16), side(20)), (200, 61));
        assert_eq!(png, drawn(&svg("loss")).unwrap());
        let dark = |text: &str| {
            let pixels = resvg::tiny_skia::Pixmap::decode_png(&drawn(&svg(text)).unwrap()).unwrap();
            pixels.pixels().iter().filter(|pixel| pixel.red() < 128).count()
        };
        assert_eq!(dark(""), 0);
        assert!(dark("i") > 5 && dark("mm") > dark("ii"), "letters are drawn");
        assert!(dark("αж→≤") > 50);
    }

    #[cfg(feature = "png")]
    #[test]
    fn what_is_too_large_is_an_error() {
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"40000\"/>";
        assert_eq!(drawn(svg).unwrap_err().title(), "a picture of 200 by 80000 pixels is too large for PNG");
    }
}

//! Writes SVG: the few kinds of elements that charts are made of.
//!
//! Lengths are points. Invariant: numbers have at most two decimals, and texts hold nothing that XML forbids, so that
//! every drawing is a valid file, and the same one everywhere.

use crate::layout::Rect;
use crate::text::FONTS;
use std::fmt::{self, Write};

/// A colour of the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rgb(pub u8, pub u8, pub u8);

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub color: Rgb,
    pub width: f64,
    pub is_dashed: bool,
    pub opacity: f64,
}

impl Stroke {
    pub fn new(color: Rgb, width: f64) -> Stroke {
        Stroke { color, width, is_dashed: false, opacity: 1.0 }
    }
}

/// A line of text and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'t> {
    text: &'t str,
    size: f64,
    at: (f64, f64),
    color: Rgb,
    anchor: &'static str,
    is_bold: bool,
    has_halo: bool,
    angle: i32,
}

impl<'t> Words<'t> {
    /// Dark letters that begin at a point, which is in the middle of their height.
    pub fn new(text: &'t str, size: f64, at: (f64, f64)) -> Words<'t> {
        let (color, anchor) = (crate::colors::INK, "start");
        Words { text, size, at, color, anchor, is_bold: false, has_halo: false, angle: 0 }
    }

    pub fn color(self, color: Rgb) -> Words<'t> {
        Words { color, ..self }
    }

    pub fn bold(self) -> Words<'t> {
        Words { is_bold: true, ..self }
    }

    /// With white around the letters, which keeps them apart from what is below.
    pub fn halo(self) -> Words<'t> {
        Words { has_halo: true, ..self }
    }

    /// With its middle at the point.
    pub fn centered(self) -> Words<'t> {
        Words { anchor: "middle", ..self }
    }

    /// With its end at the point.
    pub fn ending(self) -> Words<'t> {
        Words { anchor: "end", ..self }
    }

    /// Turned clockwise around the point.
    pub fn turned(self, angle: i32) -> Words<'t> {
        Words { angle, ..self }
    }
}

/// A picture that is being drawn.
#[derive(Debug)]
pub(crate) struct Canvas {
    svg: String,
}

impl Canvas {
    /// A white picture.
    pub fn new(width: f64, height: f64) -> Canvas {
        let (width, height) = (Fixed(width), Fixed(height));
        let mut canvas = Canvas { svg: String::new() };
        canvas.element(format_args!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             xmlns=\"http://www.w3.org/2000/svg\" font-family=\"{FONTS}\">"
        ));
        canvas.element(format_args!("<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"));
        canvas
    }

    /// The text of the file.
    pub fn finish(mut self) -> String {
        self.element(format_args!("</svg>"));
        self.svg
    }

    pub fn line(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", Fixed(x), Fixed(y))).collect();
        let dashes = if stroke.is_dashed { " stroke-dasharray=\"7 4\"" } else { "" };
        let faint = Opacity("stroke-opacity", stroke.opacity);
        let (color, width) = (stroke.color, Fixed(stroke.width));
        self.element(format_args!(
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"\
             {dashes}{faint} points=\"{}\"/>",
            points.join(" ")
        ));
    }

    pub fn rectangle(&mut self, rect: Rect, fill: Rgb) {
        let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(Fixed);
        self.element(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>"
        ));
    }

    /// The border of a rectangle.
    pub fn border(&mut self, rect: Rect, stroke: Stroke) {
        let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(Fixed);
        let (color, line) = (stroke.color, Fixed(stroke.width));
        self.element(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"none\" \
             stroke=\"{color}\" stroke-width=\"{line}\"/>"
        ));
    }

    /// A dot with a border, which keeps it apart from what is below it.
    pub fn dot(&mut self, (x, y): (f64, f64), radius: f64, fill: Rgb, border: Stroke) {
        let [x, y, radius, width] = [x, y, radius, border.width].map(Fixed);
        let faint = Opacity("opacity", border.opacity);
        let color = border.color;
        self.element(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{fill}\" stroke=\"{color}\" \
             stroke-width=\"{width}\"{faint}/>"
        ));
    }

    pub fn words(&mut self, words: Words) {
        let (x, y) = words.at;
        // The middle of letters is about a third of their size above the line on which they stand.
        let base = Fixed(y + 0.35 * words.size);
        let turned = match words.angle {
            0 => String::new(),
            angle => format!(" transform=\"rotate({angle} {} {})\"", Fixed(x), Fixed(y)),
        };
        let bold = if words.is_bold { " font-weight=\"bold\"" } else { "" };
        let halo = if words.has_halo {
            " paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"3\" stroke-linejoin=\"round\""
        } else {
            ""
        };
        let (x, size) = (Fixed(x), Fixed(words.size));
        self.element(format_args!(
            "<text x=\"{x}\" y=\"{base}\" font-size=\"{size}\" text-anchor=\"{}\" fill=\"{}\"{bold}{halo}{turned}>\
             {}</text>",
            words.anchor,
            words.color,
            escaped(words.text)
        ));
    }

    /// A raster of coloured cells, row by row from the top. Neighbours of one colour become one piece, and all pieces of
    /// a colour one element: a picture of noise is a file of seven bytes a cell.
    pub fn cells(&mut self, rect: Rect, columns: usize, colors: &[Rgb]) {
        let rows = colors.len() / columns.max(1);
        let mut paths: Vec<(Rgb, String)> = Vec::new();
        let mut known = std::collections::HashMap::new();
        for (row, cells) in colors.chunks(columns.max(1)).enumerate() {
            let mut column = 0;
            for run in cells.chunk_by(PartialEq::eq) {
                let color = run[0];
                let index = *known.entry((color.0, color.1, color.2)).or_insert_with(|| {
                    paths.push((color, String::new()));
                    paths.len() - 1
                });
                // Writing to a string cannot fail.
                let _ = write!(paths[index].1, "M{column} {row}h{}", run.len());
                column += run.len();
            }
        }
        // Lines of thickness 1 through the middles of the rows; edges that are not smoothed leave no seams.
        let (x, y) = (Fixed(rect.x), Fixed(rect.y));
        let (wide, high) = (rect.width / columns as f64, rect.height / rows as f64);
        self.element(format_args!(
            "<g transform=\"translate({x} {y}) scale({wide:.5} {high:.5}) translate(0 .5)\" \
             shape-rendering=\"crispEdges\">"
        ));
        for (color, path) in paths {
            self.element(format_args!("<path stroke=\"{color}\" d=\"{path}\"/>"));
        }
        self.element(format_args!("</g>"));
    }

    fn element(&mut self, arguments: fmt::Arguments) {
        writeln!(self.svg, "{arguments}").expect("writing to a string cannot fail");
    }
}

/// A text inside XML, without characters that XML cannot hold.
pub(crate) fn escaped(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|letter| if letter.is_whitespace() { ' ' } else { letter })
        .filter(|letter| !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}'))
        .collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A number with at most two decimals.
struct Fixed(f64);

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // Adding zero makes -0 and 0 the same.
        let rounded = (self.0 * 100.0).round() / 100.0 + 0.0;
        write!(f, "{rounded}")
    }
}

/// An attribute that is written where it is not 1.
struct Opacity(&'static str, f64);

impl fmt::Display for Opacity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.1 < 1.0 { write!(f, " {}=\"{}\"", self.0, Fixed(self.1)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_short_and_valid() {
        let mut canvas = Canvas::new(10.0, 20.5);
        canvas.words(Words::new("a <&> b\u{0}\n", 10.0, (-0.001, 2.0 / 3.0)).centered().turned(-90));
        canvas.line(&[(0.0, 1.0 / 3.0), (5.0, -0.004)], Stroke::new(Rgb(0, 114, 178), 2.0));
        let svg = canvas.finish();
        assert!(svg.contains("width=\"10\" height=\"20.5\""));
        assert!(svg.contains("x=\"0\" y=\"4.17\""), "{svg}");
        assert!(svg.contains("rotate(-90 0 0.67)\">a &lt;&amp;&gt; b </text>"), "{svg}");
        assert!(svg.contains("stroke=\"#0072b2\"") && svg.contains("points=\"0,0.33 5,0\""), "{svg}");
    }

    #[test]
    fn cells_of_a_colour_are_one_element() {
        let (a, b) = (Rgb(0, 0, 0), Rgb(255, 0, 0));
        let mut canvas = Canvas::new(30.0, 20.0);
        let rect = Rect { x: 0.0, y: 0.0, width: 30.0, height: 20.0 };
        canvas.cells(rect, 3, &[a, a, b, b, a, a]);
        let svg = canvas.finish();
        assert!(svg.contains("scale(10.00000 10.00000)"));
        assert!(svg.contains("<path stroke=\"#000000\" d=\"M0 0h2M1 1h2\"/>"), "{svg}");
        assert!(svg.contains("<path stroke=\"#ff0000\" d=\"M2 0h1M0 1h1\"/>"), "{svg}");
    }
}

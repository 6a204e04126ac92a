//! How wide texts are, as far as that can be known without a font.
//!
//! An SVG is shown with whatever font there is: a table of average widths stands for it. Invariant: what is cut off is
//! marked with `…`.

/// The fonts that are asked for: Helvetica and those that are made to its measures.
pub(crate) const FONTS: &str = "Helvetica, Arial, 'Liberation Sans', sans-serif";

/// The average width of a letter in Helvetica and the fonts made to its measures, in parts of the font's size.
fn letter_width(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '\'' | '|' => 0.23,
        ' ' | 'f' | 't' | 'I' | '.' | ',' | ':' | ';' | '!' | '/' | '[' | ']' | '·' => 0.28,
        'r' | '(' | ')' | '-' | '{' | '}' | '*' => 0.36,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' | 'J' => 0.5,
        'm' | 'M' | '%' | '@' | '→' | '…' => 0.9,
        'w' | 'C' | 'D' | 'G' | 'H' | 'N' | 'O' | 'Q' | 'R' | 'U' => 0.73,
        'W' => 0.95,
        'A' | 'B' | 'E' | 'K' | 'P' | 'S' | 'V' | 'X' | 'Y' | '&' => 0.67,
        '+' | '<' | '=' | '>' | '~' | '×' | 'F' | 'L' | 'T' | 'Z' => 0.6,
        letter if letter.is_ascii() => 0.56,
        letter if letter as u32 >= 0x2e80 => 1.0,
        _ => 0.62,
    }
}

/// The width of a text with letters of `size`, with a little room: some fonts are wider than Helvetica, and nothing
/// should touch a border.
pub(crate) fn text_width(text: &str, size: f64, is_bold: bool) -> f64 {
    let width: f64 = text.chars().map(letter_width).sum();
    width * size * if is_bold { 1.18 } else { 1.1 }
}

/// As much of a text as fits into `width`, with `…` where it is cut off.
pub(crate) fn cut(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size, false) <= width {
        return text.to_owned();
    }
    let mut room = width - text_width("…", size, false);
    let fits = |letter: &char| {
        room -= letter_width(*letter) * size * 1.1;
        room >= 0.0
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_off() {
        assert_eq!(cut("accuracy", 12.0, 100.0), "accuracy");
        let short = cut("sparse_categorical_accuracy", 12.0, 100.0);
        assert_eq!(short, "sparse_catego…");
        assert!(text_width(&short, 12.0, false) <= 100.0);
        assert_eq!(cut("accuracy", 12.0, 1.0), "…");
    }
}

//! Paths with numbers in them: `model-{epoch:02}-{val_loss:.2}.keras`.
//!
//! `{name}`, and behind a colon a width (with a zero before it: filled with zeros) and a point with a number of
//! decimals, as in `format!`; a `d` or an `f` at the end, as in Python, changes nothing. `{{` and `}}` are braces.

use carnyx_graph::{Error, Result};

/// A path with places for numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PathPattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Number { name: String, width: usize, zeros: bool, decimals: Option<usize> },
}

impl PathPattern {
    pub(super) fn parse(pattern: &str) -> Result<PathPattern> {
        let wrong = |why: String| {
            Error::new("callback", format!("`{pattern}` is no pattern of paths"))
                .label(why)
                .help("write numbers as `{epoch:02}` and `{val_loss:.2}`, and braces as `{{` and `}}`")
        };
        let (mut parts, mut text) = (Vec::new(), String::new());
        let mut rest = pattern;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if let Some(behind) = behind.strip_prefix(brace) {
                text.push_str(brace);
                rest = behind;
                continue;
            }
            if brace == "}" {
                return Err(wrong("a `}` has no `{` before it".into()));
            }
            let (field, behind) =
                behind.split_once('}').ok_or_else(|| wrong("a `{` has no `}` behind it".into()))?;
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            let part = number(field);
            parts.push(part.ok_or_else(|| wrong(format!("`{{{field}}}` is no place for a number")))?);
            rest = behind;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(PathPattern { parts })
    }

    /// The names of the numbers.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Number { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The path, with `value(name)` for each number.
    pub(super) fn path(&self, value: impl Fn(&str) -> Result<f64>) -> Result<String> {
        let mut path = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Number { name, width, zeros, decimals } => {
                    let (value, width) = (value(name)?, *width);
                    let number = match (*zeros, *decimals) {
                        (true, Some(decimals)) => format!("{value:0width$.decimals$}"),
                        (true, None) => format!("{value:0width$}"),
                        (false, Some(decimals)) => format!("{value:width$.decimals$}"),
                        (false, None) => format!("{value:width$}"),
                    };
                    path.push_str(&number);
                }
            }
        }
        Ok(path)
    }
}

/// What stands between braces.
fn number(field: &str) -> Option<Part> {
    let (name, format) = field.split_once(':').unwrap_or((field, ""));
    if name.is_empty() || name.contains('{') {
        return None;
    }
    let format = format.strip_suffix(['d', 'f']).unwrap_or(format);
    let (width, decimals) = match format.split_once('.') {
        Some((width, decimals)) => (width, Some(decimals.parse().ok()?)),
        None => (format, None),
    };
    let zeros = width.len() > 1 && width.starts_with('0');
    let width = if width.is_empty() { 0 } else { width.parse().ok()? };
    let is_small = width < 64 && decimals.is_none_or(|decimals: usize| decimals < 64);
    is_small.then(|| Part::Number { name: name.to_owned(), width, zeros, decimals })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pattern: &str) -> String {
        let value = |name: &str| Ok(if name == "epoch" { 3.0 } else { 0.12345 });
        PathPattern::parse(pattern).unwrap().path(value).unwrap()
    }

    #[test]
    fn numbers_are_written_as_in_rust_and_as_in_python() {
        assert_eq!(filled("model-{epoch:02}-{val_loss:.2}.keras"), "model-03-0.12.keras");
        assert_eq!(filled("model-{epoch:02d}-{val_loss:.3f}.keras"), "model-03-0.123.keras");
        assert_eq!(filled("{epoch}/{{x}}.h5"), "3/{x}.h5");
        assert_eq!(filled("{epoch:4}|{loss:08.3}"), "   3|0000.123");
        assert_eq!(filled("plain.keras"), "plain.keras");
        assert_eq!(filled("ü{epoch:d}"), "ü3");
        let pattern = PathPattern::parse("{epoch:02}-{val_loss:.2}").unwrap();
        assert_eq!(pattern.names().collect::<Vec<_>>(), ["epoch", "val_loss"]);
        for wrong in ["{", "}", "a{b", "{epoch", "{}", "{epoch:x}", "{epoch:.}", "{a{b}}", "{epoch:999999}"] {
            assert!(PathPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}

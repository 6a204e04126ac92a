//! JSON as text, written the way Python's `json.dumps` does.
//!
//! Files then differ from those of Keras in what they say, not in how, and text comparisons show the difference that
//! matters. Invariant: reading the text gives back the same value, floats to the last bit.

use serde_json::Value;
use std::fmt::Write;

/// The text of `value`, as Python's `json.dumps` writes it: `", "` and `": "` between things, only ASCII characters,
/// floats with the fewest digits that read back as the same number.
///
/// # Example
/// ```
/// use carnyx_file::{Value, to_json};
/// let value: Value = r#"{"name":"Größe","rate":1e-7,"units":3,"shape":[null,0.5]}"#.parse().unwrap();
/// assert_eq!(to_json(&value), r#"{"name": "Gr\u00f6\u00dfe", "rate": 1e-07, "units": 3, "shape": [null, 0.5]}"#);
/// ```
pub fn to_json(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(value) => text.push_str(&float(value)),
            None => text.push_str(&number.to_string()),
        },
        Value::String(letters) => write_text(text, letters),
        Value::Array(list) => {
            text.push('[');
            for (i, item) in list.iter().enumerate() {
                text.push_str(if i > 0 { ", " } else { "" });
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                text.push_str(if i > 0 { ", " } else { "" });
                write_text(text, key);
                text.push_str(": ");
                write_value(text, item);
            }
            text.push('}');
        }
    }
}

fn write_text(text: &mut String, letters: &str) {
    text.push('"');
    for letter in letters.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(text, "\\u{unit:04x}").expect("a text takes every letter");
                }
            }
        }
    }
    text.push('"');
}

/// A finite float as Python's `repr` writes it: with an exponent below 1e-4 and from 1e16 on.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a number after the `e`");
    if (-4..16).contains(&exponent) {
        // `{:?}` has a point even in whole numbers, as Python has, and no exponent in this range.
        return if exponent < 0 { format!("{value}") } else { format!("{value:?}") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_python_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.01, "0.01"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (0.00001, "1e-05"),
            (1e-7, "1e-07"),
            (-1.5e-7, "-1.5e-07"),
            (123456789.125, "123456789.125"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.25e22, "1.25e+22"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(float(value), text);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }

    #[test]
    fn texts_as_python_writes_them() {
        let text = "\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f}ü\u{2028}😀";
        let json = to_json(&Value::from(text));
        assert_eq!(json, r#""\"\\/\b\f\n\r\t\u0001\u007f\u00fc\u2028\ud83d\ude00""#);
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), text);
        let whole = r#"{"a": [], "b": {}, "c": [1, -2, 18446744073709551615, true, null], "d": {"e": 1.0}}"#;
        assert_eq!(to_json(&serde_json::from_str(whole).unwrap()), whole);
    }
}

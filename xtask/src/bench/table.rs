//! Results as tables for people.

use super::line::Line;
use std::fmt::Write as _;

/// A table of results.
pub(super) fn of_lines(lines: &[Line]) -> String {
    let row = |line: &Line| {
        let losses = match (line.loss_first, line.loss_last) {
            (Some(first), Some(last)) => format!("{first:.4} → {last:.4}"),
            _ => String::new(),
        };
        vec![
            line.workload.clone(),
            line.metric.clone(),
            number(line.median),
            number(line.min),
            number(line.max),
            losses,
        ]
    };
    of(&["workload", "metric", "median", "min", "max", "loss"], &lines.iter().map(row).collect::<Vec<_>>())
}

/// Columns side by side, the first two to the left, the others to the right.
pub(super) fn of(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let mut widths = vec![0; head.len()];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in [&head].into_iter().chain(rows) {
        let mut line = String::new();
        for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            // Writing into a string never fails.
            let _ = if i < 2 { write!(line, "{cell:<width$}  ") } else { write!(line, "{cell:>width$}  ") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Four digits, without powers of ten.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        v if v >= 1.0 => 3,
        v if v >= 0.1 => 4,
        v if v >= 0.01 => 5,
        _ => 6,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["W1".into(), "s/epoch".into(), number(0.52345)],
            vec!["W10".into(), "us".into(), number(1234.5)],
        ];
        assert_eq!(
            of(&["id", "metric", "median"], &rows),
            "id   metric   median\nW1   s/epoch  0.5234\nW10  us         1234\n"
        );
    }
}

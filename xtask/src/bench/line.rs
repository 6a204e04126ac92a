//! One result: what is printed, and what is read from other programs.

use serde::{Deserialize, Serialize};

/// One result as a line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub engine: String,
    pub workload: String,
    pub metric: String,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// Loss of the first epoch, the uncounted one, where something is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_first: Option<f64>,
    /// Loss of the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_last: Option<f64>,
}

impl Line {
    /// The result of several measurements.
    pub fn new(workload: impl ToString, metric: &str, values: &[f64]) -> Line {
        let spread = Spread::of(values);
        Line {
            engine: "carnyx".to_owned(),
            workload: workload.to_string(),
            metric: metric.to_owned(),
            median: rounded(spread.median),
            min: rounded(spread.min),
            max: rounded(spread.max),
            loss_first: None,
            loss_last: None,
        }
    }

    /// The same with the first and the last loss.
    pub fn with_losses(mut self, losses: &[f64]) -> Line {
        (self.loss_first, self.loss_last) =
            (losses.first().copied().map(rounded), losses.last().copied().map(rounded));
        self
    }

    /// What is measured, without the way it was called: `us/call batch 1 predict` and `us/call batch 1` are the same
    /// quantity.
    pub fn quantity(&self) -> &str {
        const WAYS: [&str; 4] = [" fit", " predict", " predict_on_batch", " call"];
        WAYS.iter().find_map(|way| self.metric.strip_suffix(way)).unwrap_or(&self.metric)
    }

    /// Whether more is better: `samples/s`, but not `s/epoch`.
    pub fn is_rate(&self) -> bool {
        self.metric.split(' ').next().is_some_and(|unit| unit.ends_with("/s"))
    }
}

/// Six digits: more than any measurement has.
pub(super) fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// Median, least and greatest of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(values: &[f64]) -> Spread {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
        let (n, last) = (sorted.len(), sorted.len().saturating_sub(1));
        Spread { median: f64::midpoint(at(last / 2), at(n / 2)), min: at(0), max: at(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert!(Spread::of(&[]).median.is_nan());
    }

    #[test]
    fn a_line_reads_what_another_program_printed() {
        let theirs = r#"{"engine": "other", "workload": "W1", "metric": "us/step fit", "median": 1.5, "min": 1, "max": 2,
            "loss_first": 2.3, "accuracy_last": 0.1}"#;
        let line: Line = serde_json::from_str(theirs).unwrap();
        assert_eq!((line.quantity(), line.loss_first, line.loss_last), ("us/step", Some(2.3), None));
        let ours = Line::new("W8", "samples/s batch 1024 predict", &[123_456.789]);
        assert!(ours.is_rate() && !line.is_rate());
        let text = serde_json::to_string(&ours).unwrap();
        assert!(text.starts_with(
            r#"{"engine":"carnyx","workload":"W8","metric":"samples/s batch 1024 predict","median":123457.0"#
        ));
        assert!(!text.contains("loss"));
    }
}

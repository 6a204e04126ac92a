//! Learning curves: a fit's history as a figure.

use crate::History;
use carnyx_plot::{Figure, LineChart};

/// Draws what a fit leaves behind.
///
/// # Example
/// ```
/// use carnyx::prelude::*;
/// let epochs = [(0.9, 1.0), (0.5, 0.7)].map(|(loss, val)| Logs::from_iter([("loss", loss), ("val_loss", val)]));
/// let figure = History::new(0, epochs.to_vec()).plot();
/// assert!(figure.to_svg()?.contains("val_loss"));
/// # Ok::<(), Error>(())
/// ```
pub trait PlotHistory {
    /// A panel for the loss and one for each metric, over the number of the epoch; dashed lines are the
    /// validation data. `.save("learning_curves.svg")` writes it.
    ///
    /// # Example
    /// ```
    /// use carnyx::prelude::*;
    /// let epochs = [0.5, 0.25].map(|loss| Logs::from_iter([("loss", loss)]));
    /// let figure = History::new(0, epochs.to_vec()).plot();
    /// # let _ = figure;
    /// ```
    fn plot(&self) -> Figure;
}

impl PlotHistory for History {
    fn plot(&self) -> Figure {
        let names = self.names();
        let is_validation = |name: &str| names.iter().any(|known| name.strip_prefix("val_") == Some(known));
        let mut panels: Vec<&str> = names.iter().copied().filter(|name| !is_validation(name)).collect();
        // The loss first: it is what training makes small.
        panels.sort_by_key(|name| *name != "loss");
        panels.iter().fold(Figure::new(), |figure, name| figure.panel(panel(self, name)))
    }
}

/// The chart of one number and of its value on the validation data.
fn panel(history: &History, name: &str) -> LineChart {
    let points = |name: &str| -> Vec<(f64, f64)> {
        let epochs = (history.first_epoch + 1..).map(|epoch| epoch as f64);
        epochs.zip(history.values(name)).collect()
    };
    let chart = LineChart::new(name).x_label("epoch").y_label(name).series(name, &points(name));
    let validation = format!("val_{name}");
    match points(&validation) {
        none if none.is_empty() => chart,
        some => chart.dashed(validation, &some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Logs;

    fn history() -> History {
        let epoch = |i: i32| {
            let f = f64::from(i);
            Logs::from_iter([
                ("accuracy", 0.5 + f / 10.0),
                ("loss", 1.0 / f),
                ("val_loss", 1.2 / f),
                ("val_only", f),
            ])
        };
        History::new(3, (1..4).map(epoch).collect())
    }

    #[test]
    fn each_number_has_a_panel_and_the_loss_is_first() {
        let svg = history().plot().to_svg().unwrap();
        let place = |text: &str| svg.find(text).unwrap_or_else(|| panic!("`{text}` is not drawn"));
        assert!(place("val_loss") < place("accuracy"));
        assert!(
            place("val_only") > 0,
            "a number that only begins like a validation number is a number of its own"
        );
    }

    #[test]
    fn a_history_without_epochs_cannot_be_drawn() {
        assert_eq!(History::default().plot().to_svg().unwrap_err().code(), "data");
    }
}

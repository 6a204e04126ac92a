//! What a figure is made of: anything that knows its size and can draw itself.

use crate::canvas::Canvas;
use crate::layout::Rect;
use carnyx_graph::Result;
use std::fmt::Debug;
use std::sync::Arc;

/// A chart in a [`Figure`](crate::Figure). Every chart of this crate becomes one where a figure wants it.
///
/// # Example
/// ```
/// use carnyx_plot::{BarChart, Figure, LineChart, Panel};
/// let loss = LineChart::new("loss").series("train", &[(1.0, 0.9), (2.0, 0.5)]);
/// let sizes = BarChart::new("parameters").bar("hidden", 150.0).bar("scores", 51.0);
/// let panels: [Panel; 2] = [loss.into(), sizes.into()];
/// let figure = panels.into_iter().fold(Figure::new(), Figure::panel);
/// assert!(figure.to_svg()?.contains("hidden"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Panel(pub(crate) Arc<dyn Drawn>);

/// A chart, as a figure sees it.
pub(crate) trait Drawn: Debug + Send + Sync {
    /// The width and height that it would like to have, in points.
    fn size(&self) -> (f64, f64) {
        (540.0, 380.0)
    }

    /// Draws it into an area that is at least that large.
    fn draw(&self, canvas: &mut Canvas, area: Rect) -> Result;
}

impl<C: Drawn + 'static> From<C> for Panel {
    fn from(chart: C) -> Panel {
        Panel(Arc::new(chart))
    }
}

/// What the errors of a chart call it.
pub(crate) fn named(title: &str) -> String {
    if title.is_empty() { "without a title".to_owned() } else { format!("`{title}`") }
}

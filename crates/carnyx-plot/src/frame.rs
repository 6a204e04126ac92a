//! The rectangle of a plot between its axes, and the way from numbers to places in it.

use crate::axis::Axis;
use crate::canvas::{Canvas, Stroke, Words};
use crate::colors::{FRAME, GRID};
use crate::heading::{LABEL_SIZE, MARGIN};
use crate::layout::Rect;
use crate::text::{cut, text_width};

pub(crate) const TICK_SIZE: f64 = 11.0;

#[derive(Debug)]
pub(crate) struct Frame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: Axis,
    pub y: Axis,
}

impl Frame {
    /// What is left of an area below `top`, when ticks and labels have their room.
    pub fn within(area: Rect, top: f64, (x, y): (Axis, Axis), labels: [&str; 2]) -> Frame {
        let widest = y.ticks.iter().map(|(_, label)| text_width(label, TICK_SIZE, false)).fold(0.0, f64::max);
        Frame {
            left: area.x + MARGIN + widest + 8.0 + room(labels[1]),
            right: area.x + area.width - MARGIN - 6.0,
            top: top + 6.0,
            bottom: area.y + area.height - MARGIN - TICK_SIZE - 8.0 - room(labels[0]),
            x,
            y,
        }
    }

    /// Where a position on the x axis is.
    pub fn x_at(&self, position: f64) -> f64 {
        self.left + (position - self.x.low) / (self.x.high - self.x.low) * (self.right - self.left)
    }

    /// Where a position on the y axis is.
    pub fn y_at(&self, position: f64) -> f64 {
        self.bottom - (position - self.y.low) / (self.y.high - self.y.low) * (self.bottom - self.top)
    }

    pub fn rect(&self) -> Rect {
        Rect { x: self.left, y: self.top, width: self.right - self.left, height: self.bottom - self.top }
    }

    /// Draws lines at the ticks.
    pub fn grid(&self, canvas: &mut Canvas) {
        let thin = Stroke::new(GRID, 1.0);
        for (position, _) in &self.x.ticks {
            let x = self.x_at(*position);
            canvas.line(&[(x, self.top), (x, self.bottom)], thin);
        }
        for (position, _) in &self.y.ticks {
            let y = self.y_at(*position);
            canvas.line(&[(self.left, y), (self.right, y)], thin);
        }
    }

    /// Draws the axes with their ticks and labels.
    pub fn axes(&self, canvas: &mut Canvas, area: Rect, [x_label, y_label]: [&str; 2]) {
        for (position, label) in &self.x.ticks {
            let at = (self.x_at(*position), self.bottom + 6.0 + TICK_SIZE / 2.0);
            canvas.words(Words::new(label, TICK_SIZE, at).centered());
        }
        for (position, label) in &self.y.ticks {
            let at = (self.left - 7.0, self.y_at(*position));
            canvas.words(Words::new(label, TICK_SIZE, at).ending());
        }
        let corners = [(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)];
        canvas.line(&corners, Stroke::new(FRAME, 1.0));
        let (wide, high) = (self.right - self.left, self.bottom - self.top);
        let below = area.y + area.height - MARGIN - LABEL_SIZE / 2.0;
        let label = cut(x_label, LABEL_SIZE, wide);
        canvas.words(Words::new(&label, LABEL_SIZE, (self.left + wide / 2.0, below)).centered());
        let beside = (area.x + MARGIN + LABEL_SIZE / 2.0, self.top + high / 2.0);
        let label = cut(y_label, LABEL_SIZE, high);
        canvas.words(Words::new(&label, LABEL_SIZE, beside).centered().turned(-90));
    }
}

/// The height of an axis label and the space beside it; nothing, if there is none.
fn room(label: &str) -> f64 {
    if label.is_empty() { 0.0 } else { LABEL_SIZE + 8.0 }
}

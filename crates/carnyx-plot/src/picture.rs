//! Draws a diagram that has been laid out: the only place that knows its sizes and colours.
//!
//! The background is painted, so that the picture reads the same on light and on dark pages.

use crate::canvas::escaped;
use crate::diagram::{Block, Diagram, Group, Role};
use crate::layout::{Descent, Layout, Rect, TITLE};
use crate::text::{FONTS, text_width};
use std::fmt::Write;

const TITLE_SIZE: f64 = 13.0;
const SMALL: f64 = 11.0;
/// Left and right of the text in a box.
const INSET: f64 = 12.0;
const HEADER: f64 = 26.0;
const LINE: f64 = 16.0;
const PILL: f64 = 26.0;
const ARROW: f64 = 7.0;

const INK: &str = "#1f2933";
const FAINT: &str = "#5f6c7b";
const WIRE: &str = "#7b8794";

/// Border, header and text of a role: hues that differ in lightness too.
fn colors(role: Role) -> [&'static str; 3] {
    match role {
        Role::Input => ["#3f9c74", "#e0f3ea", "#14573b"],
        Role::Trained => ["#4a86c5", "#e1edf9", "#123f70"],
        Role::Fixed => ["#a3acb8", "#eef0f3", "#394452"],
        Role::Operation => ["#a3acb8", "#ffffff", "#394452"],
        Role::Output => ["#d08a2e", "#fdf1df", "#6b4208"],
    }
}

fn is_pill(block: &Block) -> bool {
    matches!(block.role, Role::Operation | Role::Output)
}

/// Title and kind beside each other.
fn head_width(title: &str, kind: &str) -> f64 {
    let kind = if kind.is_empty() { 0.0 } else { 10.0 + text_width(kind, SMALL, false) };
    text_width(title, TITLE_SIZE, true) + kind
}

/// Even, so that half of it is a whole number.
fn even(length: f64) -> i64 {
    2 * (length / 2.0).ceil() as i64
}

/// Width and height of a block.
pub(crate) fn size(block: &Block) -> (i64, i64) {
    if is_pill(block) {
        let lines = block.lines.iter().map(|line| 7.0 + text_width(line, SMALL, false));
        let kind = if block.kind.is_empty() { 0.0 } else { text_width(&block.kind, SMALL, false) + 7.0 };
        let width = text_width(&block.title, 12.0, true) + kind + lines.sum::<f64>();
        return (even(width + 2.0 * INSET), PILL as i64);
    }
    let lines = block.lines.iter().map(|line| text_width(line, SMALL, false));
    let width = lines.fold(head_width(&block.title, &block.kind), f64::max);
    let body = if block.lines.is_empty() { 0.0 } else { 8.0 + LINE * block.lines.len() as f64 };
    (even(width + 2.0 * INSET).max(96), (HEADER + body) as i64)
}

/// The width of a group's title.
pub(crate) fn title_width(group: &Group) -> i64 {
    even(head_width(&group.title, &group.kind))
}

pub(crate) fn draw(diagram: &Diagram, layout: &Layout) -> String {
    let (width, height) = (layout.width, layout.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#ffffff\"/>\n"
    );
    // Outer frames lie below inner ones.
    let mut frames: Vec<usize> = (0..layout.frames.len()).collect();
    let area = |rect: &Rect| rect.width * rect.height;
    frames.sort_by(|&a, &b| area(&layout.frames[b]).total_cmp(&area(&layout.frames[a])));
    for &i in &frames {
        let Rect { x, y, width, height } = layout.frames[i];
        line(
            &mut svg,
            format_args!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"#52606d\" \
             fill-opacity=\"0.06\" stroke=\"#52606d\" stroke-opacity=\"0.45\"/>"
            ),
        );
    }
    for route in with_ports(layout) {
        edge(&mut svg, &route);
    }
    for &i in &frames {
        let (group, Rect { x, y, .. }) = (&diagram.groups[i], layout.frames[i]);
        head(&mut svg, x + 14.0, y + TITLE as f64 - 1.0, &group.title, &group.kind, "#394452");
    }
    for ((_, block), rect) in diagram.blocks.iter().zip(&layout.boxes) {
        if is_pill(block) { pill(&mut svg, block, rect) } else { card(&mut svg, block, rect) }
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, arguments: std::fmt::Arguments) {
    writeln!(svg, "{arguments}").expect("writing to a string cannot fail");
}

/// Bold title, faint kind.
fn head(svg: &mut String, x: f64, y: f64, title: &str, kind: &str, color: &str) {
    let kind = if kind.is_empty() {
        String::new()
    } else {
        format!("<tspan dx=\"8\" font-size=\"{SMALL}\" font-weight=\"normal\">{}</tspan>", escaped(kind))
    };
    line(
        svg,
        format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{TITLE_SIZE}\" font-weight=\"bold\" fill=\"{color}\">{}{kind}</text>",
            escaped(title)
        ),
    );
}

fn card(svg: &mut String, block: &Block, rect: &Rect) {
    let Rect { x, y, width, height } = *rect;
    let [border, header, ink] = colors(block.role);
    let dashes = if block.is_dashed { " stroke-dasharray=\"5 3\"" } else { "" };
    line(
        svg,
        format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#ffffff\"/>"
        ),
    );
    let (right, bottom) = (x + width, y + HEADER);
    if block.lines.is_empty() {
        line(
            svg,
            format_args!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{header}\"/>"
            ),
        );
    } else {
        line(
            svg,
            format_args!(
                "<path d=\"M{x} {bottom}V{}a6 6 0 0 1 6 -6H{}a6 6 0 0 1 6 6V{bottom}Z\" fill=\"{header}\"/>",
                y + 6.0,
                right - 6.0
            ),
        );
    }
    line(
        svg,
        format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"none\" \
         stroke=\"{border}\" stroke-width=\"1.2\"{dashes}/>"
        ),
    );
    head(svg, x + INSET, y + 17.5, &block.title, &block.kind, ink);
    for (i, text) in block.lines.iter().enumerate() {
        let (x, y) = (x + INSET, bottom + 15.0 + LINE * i as f64);
        let fill = if i == 0 { INK } else { FAINT };
        line(
            svg,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"{SMALL}\" fill=\"{fill}\">{}</text>",
                escaped(text)
            ),
        );
    }
}

fn pill(svg: &mut String, block: &Block, rect: &Rect) {
    let Rect { x, y, width, height } = *rect;
    let [border, fill, ink] = colors(block.role);
    line(
        svg,
        format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{}\" fill=\"{fill}\" \
         stroke=\"{border}\" stroke-width=\"1.2\"/>",
            height / 2.0
        ),
    );
    let small = |text: &str, color: &str| {
        format!("<tspan font-size=\"{SMALL}\" fill=\"{color}\">{}</tspan>", escaped(text))
    };
    let mut parts = Vec::new();
    parts.extend((!block.kind.is_empty()).then(|| small(&block.kind, ink)));
    parts.push(format!("<tspan font-weight=\"bold\">{}</tspan>", escaped(&block.title)));
    parts.extend(block.lines.iter().map(|text| small(text, FAINT)));
    line(
        svg,
        format_args!(
            "<text x=\"{}\" y=\"{}\" font-size=\"12\" fill=\"{ink}\">{}</text>",
            x + INSET,
            y + height / 2.0 + 4.0,
            parts.join(" ").replace(" <tspan ", "<tspan dx=\"7\" ")
        ),
    );
}

/// The edges, with ends beside each other where several come to one box.
fn with_ports(layout: &Layout) -> Vec<Vec<Descent>> {
    let mut edges = layout.edges.clone();
    let mut coming: Vec<(usize, Vec<usize>)> = Vec::new();
    for (i, edge) in edges.iter().enumerate() {
        let end = edge[edge.len() - 1];
        let is_end = |rect: &Rect| rect.x + rect.width / 2.0 == end.x && rect.y == end.bottom;
        let Some(target) = layout.boxes.iter().position(is_end) else { continue };
        match coming.iter_mut().find(|(other, _)| *other == target) {
            Some((_, edges)) => edges.push(i),
            None => coming.push((target, vec![i])),
        }
    }
    for (target, mut coming) in coming {
        let Rect { x, width, .. } = layout.boxes[target];
        let middle = x + width / 2.0;
        let from = |&i: &usize| layout.edges[i][layout.edges[i].len() - 2].x;
        coming.sort_by(|a, b| from(a).total_cmp(&from(b)));
        // An edge from straight above stays in the middle, the others stand left and right of it.
        let straight = coming.iter().position(|i| (from(i) - middle).abs() < 1.0);
        let center = straight.map_or((coming.len() - 1) as f64 / 2.0, |i| i as f64);
        let farthest = center.max((coming.len() - 1) as f64 - center).max(1.0);
        let step = ((width / 2.0 - 14.0) / farthest).min(22.0);
        for (i, &edge) in coming.iter().enumerate() {
            let last = edges[edge].len() - 1;
            edges[edge][last].x = middle + (i as f64 - center) * step;
        }
    }
    edges
}

/// Straight down in rows, curves between them, and an arrow at the end.
fn edge(svg: &mut String, route: &[Descent]) {
    let piece = |(i, &Descent { x, top, bottom }): (usize, &Descent)| {
        let is_last = i == route.len() - 1;
        let bottom = if is_last { bottom - ARROW + 1.0 } else { bottom };
        match i.checked_sub(1).map(|i| route[i]) {
            None => format!("M{x} {top}V{bottom}"),
            Some(before) if before.x == x => format!("V{bottom}"),
            Some(before) => {
                // The arrow needs a little room to come straight down.
                let end = if is_last { top.min(bottom - 2.0) } else { top };
                let middle = f64::midpoint(before.bottom, end);
                format!("C{} {middle} {x} {middle} {x} {end}V{bottom}", before.x)
            }
        }
    };
    let path: String = route.iter().enumerate().map(piece).collect();
    line(svg, format_args!("<path d=\"{path}\" fill=\"none\" stroke=\"{WIRE}\" stroke-width=\"1.4\"/>"));
    if let Some(Descent { x, bottom, .. }) = route.last() {
        let (left, right, top) = (x - 4.0, x + 4.0, bottom - ARROW);
        line(svg, format_args!("<path d=\"M{x} {bottom}L{left} {top}H{right}Z\" fill=\"{WIRE}\"/>"));
    }
}

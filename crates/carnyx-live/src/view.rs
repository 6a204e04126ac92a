//! Draws a board: bars of progress, a line of facts, and a chart for each number that has room.

use crate::board::{Board, Curve};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, LineGauge, Paragraph};
use std::time::Duration;

const TRAINING: Color = Color::Cyan;
const VALIDATION: Color = Color::Yellow;
/// A chart that is smaller than this says less than its numbers.
const CHART: (u16, u16) = (34, 8);

pub(crate) fn draw(frame: &mut Frame, board: &Board) {
    let rows = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ];
    let [epochs, steps, facts, middle, keys] = Layout::vertical(rows).areas(frame.area());
    let total = board.epochs.to_string();
    let label = format!("epoch {:>1$}/{total}", board.epoch + 1, total.len());
    let time = match board.left() {
        Some(left) => format!(", left {} after {}", clock(left), clock(board.elapsed)),
        None => format!(", {} so far", clock(board.elapsed)),
    };
    gauge(frame, epochs, [&label, &time], board.share(), TRAINING);
    match board.evaluation {
        None => passed(frame, steps, "step ", (board.step, board.steps), TRAINING),
        Some(evaluation) => passed(frame, steps, "validation ", evaluation, VALIDATION),
    }
    frame.render_widget(Paragraph::new(facts_of(board)), facts);
    charts(frame, middle, board);
    let help = if board.is_stopping { "stopping after this batch …" } else { "q stops after this batch" };
    let [warning, help_area] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(28)]).areas(keys);
    let dim = Style::new().add_modifier(Modifier::DIM);
    frame.render_widget(Line::styled(help, dim).right_aligned(), help_area);
    let text = board.warning.as_deref().unwrap_or_default();
    frame.render_widget(Line::styled(text, Style::new().fg(VALIDATION)), warning);
}

/// How far a pass over data is, whose length may be unknown.
fn passed(frame: &mut Frame, area: Rect, what: &str, (done, all): (usize, usize), color: Color) {
    if all == 0 {
        frame.render_widget(Line::raw(format!("{what}{done}/unknown")), area);
        return;
    }
    let text = all.to_string();
    let label = format!("{what}{done:>0$}/{text}", text.len());
    gauge(frame, area, [&label, ""], Some(done as f64 / all as f64), color);
}

/// A bar behind words; without a bar if nobody knows how long the whole is.
fn gauge(frame: &mut Frame, area: Rect, [label, more]: [&str; 2], share: Option<f64>, color: Color) {
    let Some(share) = share else {
        frame.render_widget(Line::raw(format!("{label}{more}")), area);
        return;
    };
    let share = share.clamp(0.0, 1.0);
    let gauge = LineGauge::default()
        .ratio(share)
        .label(format!("{label} {:>3.0} %{more}", 100.0 * share))
        .filled_symbol("━")
        .unfilled_symbol("─")
        .filled_style(Style::new().fg(color))
        .unfilled_style(Style::new().add_modifier(Modifier::DIM));
    frame.render_widget(gauge, area);
}

/// Everything that is one number, in one line.
fn facts_of(board: &Board) -> Line<'static> {
    let mut facts = vec![format!("learning rate {}", rate(board.learning_rate))];
    if let Some((steps, samples)) = board.speed() {
        facts.push(format!("{} samples/s, {} steps/s", counted(samples), counted(steps)));
    }
    if let Some(bytes) = board.memory {
        facts.push(format!("memory {}", bytes_of(bytes)));
    }
    Line::raw(facts.join(" │ "))
}

/// A grid of charts for the first numbers, and the others in words.
fn charts(frame: &mut Frame, area: Rect, board: &Board) {
    let num = board.curves.len() as u16;
    let columns = (area.width / CHART.0).clamp(1, num.clamp(1, 3));
    let rows = (area.height / CHART.1).min(num.div_ceil(columns));
    let shown = usize::from(columns * rows).min(board.curves.len());
    let (charts, others) = board.curves.split_at(shown);
    let heights = [Constraint::Min(0), Constraint::Length(u16::from(!others.is_empty()))];
    let [grid, rest] = Layout::vertical(heights).areas(area);
    let lines = Layout::vertical(vec![Constraint::Fill(1); usize::from(rows)]).split(grid);
    for (curves, line) in charts.chunks(usize::from(columns)).zip(lines.iter()) {
        let cells = Layout::horizontal(vec![Constraint::Fill(1); usize::from(columns)]).split(*line);
        for (curve, cell) in curves.iter().zip(cells.iter()) {
            chart(frame, *cell, curve, board.done() as f64);
        }
    }
    let words = others.iter().map(|curve| format!("{} {}", curve.name, numbers_of(curve)));
    frame.render_widget(Line::raw(words.collect::<Vec<_>>().join(" │ ")), rest);
}

fn chart(frame: &mut Frame, area: Rect, curve: &Curve, done: f64) {
    let [training, validation] = curve.newest();
    let number = |value: Option<f64>, color| {
        Span::styled(value.map(short).unwrap_or_default(), Style::new().fg(color))
    };
    let mut title = vec![Span::raw(format!(" {} ", curve.name)), number(training, TRAINING)];
    if validation.is_some() {
        title.extend([Span::raw(" validation "), number(validation, VALIDATION)]);
    }
    title.push(Span::raw(" "));
    let (low, high) = range(curve);
    let labels = [low, f64::midpoint(low, high), high].map(short);
    let widest = labels.iter().map(String::len).max().unwrap_or(0);
    let labels = labels.map(|label| format!("{label:>widest$}"));
    let line = |points, color, marker| {
        Dataset::default()
            .data(points)
            .marker(marker)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(color))
    };
    let lines = vec![
        line(&curve.training, TRAINING, Marker::Braille),
        line(&curve.validation, VALIDATION, Marker::Braille),
    ];
    let ends = ["0".to_owned(), format!("step {done}")];
    let chart = Chart::new(lines)
        .block(Block::bordered().title(Line::from(title)))
        .x_axis(Axis::default().bounds([0.0, done.max(1.0)]).labels(ends))
        .y_axis(Axis::default().bounds([low, high]).labels(labels));
    frame.render_widget(chart, area);
}

/// The part of the y axis that holds all points, with some room.
fn range(curve: &Curve) -> (f64, f64) {
    let values = || curve.training.iter().chain(&curve.validation).map(|point| point.1);
    let finite = || values().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { 0.05 * (high - low) } else { 0.1 * high.abs().max(1e-3) };
    (low - room, high + room)
}

fn numbers_of(curve: &Curve) -> String {
    let [training, validation] = curve.newest().map(|value| value.map(short));
    match (training, validation) {
        (Some(training), Some(validation)) => format!("{training} / {validation}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    }
}

/// Four digits.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    match magnitude {
        _ if value == 0.0 => "0".to_owned(),
        _ if !value.is_finite() => value.to_string(),
        _ if !(1e-3..1e5).contains(&magnitude) => format!("{value:.2e}"),
        _ => {
            let decimals = (3 - magnitude.log10().floor() as i32).clamp(0, 4) as usize;
            format!("{value:.decimals$}")
        }
    }
}

/// A learning rate, which is most often a round number.
fn rate(rate: f64) -> String {
    if (1e-3..1e3).contains(&rate) { format!("{}", (rate * 1e6).round() / 1e6) } else { short(rate) }
}

/// `950`, `12.3k`, `4.56M`.
fn counted(rate: f64) -> String {
    match rate {
        _ if rate >= 1e6 => format!("{:.2}M", rate / 1e6),
        _ if rate >= 1e4 => format!("{:.1}k", rate / 1e3),
        _ if rate >= 10.0 => format!("{rate:.0}"),
        _ => format!("{rate:.1}"),
    }
}

/// `312 MB`, `4.2 GB`.
fn bytes_of(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes < 1e4 { format!("{megabytes:.0} MB") } else { format!("{:.1} GB", megabytes / 1e3) }
}

/// `0:12`, `1:02:03`.
pub(crate) fn clock(time: Duration) -> String {
    let total = time.as_secs();
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    if hours == 0 { format!("{minutes}:{seconds:02}") } else { format!("{hours}:{minutes:02}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnyx_nn::Logs;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    /// What a terminal of that size shows.
    fn shown(board: &Board, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, board)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| -> String { (0..width).map(|x| buffer[(x, y)].symbol()).collect() };
        (0..height).map(|y| format!("{}\n", line(y).trim_end())).collect()
    }

    /// Compares with a file, which `UPDATE=1` writes.
    #[track_caller]
    fn assert_golden(name: &str, text: &str) {
        let path = format!("{}/src/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(golden, text, "{name} differs from {path}\n{text}");
    }

    fn logs(at: f64) -> Logs {
        Logs::from_iter([("accuracy", 1.0 - 0.5 * (-at).exp()), ("loss", 2.3 * (-at).exp())])
    }

    fn with_validation(at: f64) -> Logs {
        let mut logs = logs(at);
        let (accuracy, loss) = (logs["accuracy"] - 0.05, logs["loss"] + 0.2);
        logs.set("val_accuracy", accuracy);
        logs.set("val_loss", loss);
        logs
    }

    /// A fit of 30 epochs of 1719 steps in the middle of its eighth.
    fn running(validated: bool) -> Board {
        let mut board = Board::new(0, 30);
        board.learning_rate = 1e-3;
        board.memory = Some(312_000_000);
        for epoch in 0..8 {
            board.begin_epoch(epoch, 1719);
            for step in (191..=1719).step_by(191) {
                let now = Duration::from_millis(270 * (epoch * 1719 + step) as u64 / 10);
                board.train(now, (step, step * 32), &logs(epoch as f64 / 3.0 + step as f64 / 5157.0));
                if epoch == 7 && step > 900 {
                    return board;
                }
            }
            let at = (epoch + 1) as f64 / 3.0;
            let numbers = if validated { with_validation(at) } else { logs(at) };
            board.end_epoch(board.elapsed, (1719, 55_000), &numbers);
        }
        board
    }

    #[test]
    fn a_usual_terminal() {
        assert_golden("with_validation", &shown(&running(true), 80, 24));
        assert_golden("without_validation", &shown(&running(false), 80, 24));
    }

    #[test]
    fn before_the_first_step() {
        let mut board = Board::new(0, 5);
        board.begin_epoch(0, 100);
        board.learning_rate = 0.05;
        assert_golden("before_the_first_step", &shown(&board, 60, 8));
    }

    #[test]
    fn an_unknown_number_of_steps() {
        let mut board = Board::new(0, 5);
        board.begin_epoch(0, 0);
        board.train(Duration::from_secs(1), (100, 3200), &logs(0.1));
        board.train(Duration::from_secs(2), (250, 8000), &logs(0.2));
        assert_golden("unknown_steps", &shown(&board, 80, 14));
        board.evaluate(Duration::from_secs(3), (12, 0));
        board.is_stopping = true;
        board.warning = Some("training is unstable: by step 7 of epoch 1 the loss has risen".to_owned());
        assert_golden("unknown_steps_of_validation", &shown(&board, 80, 14));
    }

    #[test]
    fn every_size_and_every_number_can_be_shown() {
        let mut board = running(true);
        let wild = Logs::from_iter([("loss", f64::NAN), ("accuracy", f64::INFINITY), ("mae", 1e300)]);
        let tiny = Logs::from_iter([("loss", 0.0), ("accuracy", -1e-300), ("mae", f64::NEG_INFINITY)]);
        for numbers in [wild, tiny] {
            board.train(Duration::from_secs(2000), (1100, 35_200), &numbers);
            for width in [0, 1, 5, 20, 79, 200] {
                for height in [0, 1, 3, 7, 24, 60] {
                    shown(&board, width, height);
                }
            }
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.43214, 12.3456, 98765.4, 1e-5, 1e7, -0.5, 0.0].map(short),
            ["0.4321", "12.35", "98765", "1.00e-5", "1.00e7", "-0.5000", "0"]
        );
        assert_eq!([0.001, 0.05, 2e-4, 1.0 / 3.0].map(rate), ["0.001", "0.05", "2.00e-4", "0.333333"]);
        assert_eq!([3.0518, 950.0, 12_345.0, 4.56e6].map(counted), ["3.1", "950", "12.3k", "4.56M"]);
        assert_eq!([312_000_000, 42_000_000_000].map(bytes_of), ["312 MB", "42.0 GB"]);
        assert_eq!([12, 3723].map(|s| clock(Duration::from_secs(s))), ["0:12", "1:02:03"]);
    }
}

//! The terminal, taken and given back: the only place that touches it.
//!
//! Invariant: whoever has taken the terminal gives it back, at the latest when it is dropped or when the program
//! panics, before the message of the panic is printed.

use crate::board::Board;
use crate::view;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{self, IsTerminal, Stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A terminal that shows boards instead of lines.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

/// What somebody has pressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Key {
    /// `q`: stop properly.
    Stop,
    /// Ctrl-C, which a terminal in this state hands on as a key.
    Interrupt,
}

/// Whether a screen has the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);

impl Screen {
    /// Whether there is a terminal that can move its cursor.
    pub fn is_possible() -> bool {
        let is_dumb = std::env::var_os("TERM").is_none_or(|name| name == "dumb" || name.is_empty());
        io::stdout().is_terminal() && io::stdin().is_terminal() && !(is_dumb && cfg!(unix))
    }

    /// Takes the terminal; `None` where it cannot be had, or another screen has it.
    pub fn open() -> Option<Screen> {
        if TAKEN.swap(true, Ordering::SeqCst) {
            return None;
        }
        give_back_on_panic();
        let opened = enable_raw_mode().and_then(|()| {
            // Some terminals have no other screen, and what stood there would show through.
            execute!(io::stdout(), EnterAlternateScreen, Clear(ClearType::All))?;
            Terminal::new(CrosstermBackend::new(io::stdout()))
        });
        match opened {
            Ok(terminal) => Some(Screen { terminal }),
            Err(_) => {
                give_back();
                None
            }
        }
    }

    /// Shows a board. What cannot be written is not shown: it is no reason to end a training.
    pub fn draw(&mut self, board: &Board) {
        let _ = self.terminal.draw(|frame| view::draw(frame, board));
    }
}

/// The next key that means something, if one was pressed.
pub(crate) fn key() -> Option<Key> {
    while event::poll(Duration::ZERO).unwrap_or(false) {
        let Ok(event) = event::read() else { return None };
        let Event::Key(key) = event else { continue };
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            _ if key.kind == KeyEventKind::Release => {}
            KeyCode::Char('c') if is_control => return Some(Key::Interrupt),
            KeyCode::Char('q' | 'Q') if !is_control => return Some(Key::Stop),
            _ => {}
        }
    }
    None
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Lines again, where they were before.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // There is nobody left to tell of a failure.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Makes every panic of the program give the terminal back before it prints.
fn give_back_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            previous(info);
        }));
    });
}

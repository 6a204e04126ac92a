//! Chores of the project: `cargo xtask bench`, `cargo xtask golden`, `cargo xtask docs`.
#![forbid(unsafe_code)]

mod bench;
mod exchange;
mod search;

use std::process::{Command, ExitCode};

/// What goes wrong in a chore is printed and ends it.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "usage:
  cargo xtask bench [WORKLOAD…] [OPTION…]   speed and memory; `cargo xtask bench --help` says more
  cargo xtask exchange IN OUT               loads models, predicts, trains a step, saves: see tests/keras/check_saved.py
  cargo xtask search TRIALS                 times the trials of another program: see tests/keras/time_search.py
  cargo xtask golden                        runs the tests and rewrites the golden files
  cargo xtask docs                          builds the documentation; a warning is an error";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["bench", ..] => bench::bench(&words[1..]),
        ["exchange", from, to] => exchange::exchange(from.as_ref(), to.as_ref()),
        ["search", trials] => search::search(trials.as_ref()),
        ["golden"] => cargo(&["test", "--workspace"], "UPDATE", "1"),
        ["docs"] => cargo(&["doc", "--workspace", "--no-deps"], "RUSTDOCFLAGS", "-D warnings"),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("there is no chore `{}`\n{USAGE}", words.join(" ")).into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs cargo with an environment variable.
fn cargo(arguments: &[&str], name: &str, value: &str) -> Result {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(arguments).env(name, value).status()?;
    if status.success() { Ok(()) } else { Err(format!("`cargo {}`: {status}", arguments.join(" ")).into()) }
}

//! Two programs or more that take turns: A B A B.
//!
//! Every turn is a fresh process. A ratio is made of two neighbours in time, so that a machine that grows slower or
//! faster between rounds changes it little; what is reported is the median of these ratios.

use super::line::{Line, Spread, rounded};
use super::options::Options;
use super::table;
use crate::Result;
use serde::Serialize;
use std::process::{Command, Stdio};

/// What a comparison gives, as a line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Comparison {
    workload: String,
    /// The other program's name of what was measured.
    metric: String,
    /// The other engine.
    against: String,
    /// Theirs divided by ours, round by round: the median.
    ratio: f64,
    ratio_min: f64,
    ratio_max: f64,
    /// How many times faster (or smaller) ours is: `ratio`, or its inverse where more is better.
    advantage: f64,
    /// Medians over the rounds.
    ours: f64,
    theirs: f64,
    rounds: usize,
}

/// The chore `bench --against`.
pub(super) fn run(options: &Options) -> Result {
    let workloads: Vec<String> = options.workloads.iter().map(ToString::to_string).collect();
    let (mut ours, mut theirs) = (Vec::new(), vec![Vec::new(); options.against.len()]);
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}: carnyx", options.rounds);
        ours.push(lines_of(&mut own_command(options, &workloads)?, "carnyx")?);
        for (command, rounds) in options.against.iter().zip(&mut theirs) {
            eprintln!("round {round} of {}: {command}", options.rounds);
            rounds.push(lines_of(&mut other_command(options, command, &workloads), command)?);
        }
    }
    let mut comparisons = Vec::new();
    for (command, theirs) in options.against.iter().zip(&theirs) {
        let found = compare(&ours, theirs);
        if found.is_empty() {
            return Err(format!("`{command}` measured nothing that carnyx measures too").into());
        }
        comparisons.extend(found);
    }
    for comparison in &comparisons {
        println!("{}", serde_json::to_string(comparison)?);
    }
    eprint!("{}", table_of(&comparisons));
    Ok(())
}

fn own_command(options: &Options, workloads: &[String]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bench").args(workloads).args(["--blocks", &options.blocks.to_string()]);
    if let Some(threads) = options.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    if options.profile {
        command.arg("--profile");
    }
    Ok(command)
}

/// Through the shell, so that a command may begin with `NAME=value`. The other program may read the number of blocks
/// from `BENCH_BLOCKS`.
fn other_command(options: &Options, text: &str, workloads: &[String]) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{text} \"$@\"")).arg("sh").args(workloads);
    command.env("BENCH_BLOCKS", options.blocks.to_string());
    command
}

/// Runs a program to its end and reads the results among what it prints. Its stderr is not shown unless it fails.
fn lines_of(command: &mut Command, name: &str) -> Result<Vec<Line>> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("cannot run `{name}`: {e}"))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        return Err(
            format!("`{name}` ended with {}; it said:\n{}", output.status, messages.trim_end()).into()
        );
    }
    let lines = lines_in(&String::from_utf8_lossy(&output.stdout));
    if lines.is_empty() { Err(format!("`{name}` printed no results").into()) } else { Ok(lines) }
}

/// The results in a text; other lines are passed over.
fn lines_in(text: &str) -> Vec<Line> {
    text.lines().filter_map(|line| serde_json::from_str(line.trim()).ok()).collect()
}

/// Compares each of their results with ours of the same quantity, over all rounds.
fn compare(ours: &[Vec<Line>], theirs: &[Vec<Line>]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for first in theirs.first().into_iter().flatten() {
        let pairs: Vec<(f64, f64)> = ours
            .iter()
            .zip(theirs)
            .filter_map(|(ours, theirs)| {
                let our = ours
                    .iter()
                    .find(|line| line.workload == first.workload && line.quantity() == first.quantity())?;
                let same = |line: &&Line| line.workload == first.workload && line.metric == first.metric;
                Some((our.median, theirs.iter().find(same)?.median))
            })
            .collect();
        if pairs.is_empty() {
            continue;
        }
        let spread = |value: fn(&(f64, f64)) -> f64| Spread::of(&pairs.iter().map(value).collect::<Vec<_>>());
        let ratio = spread(|(our, their)| their / our);
        comparisons.push(Comparison {
            workload: first.workload.clone(),
            metric: first.metric.clone(),
            against: first.engine.clone(),
            ratio: rounded(ratio.median),
            ratio_min: rounded(ratio.min),
            ratio_max: rounded(ratio.max),
            advantage: rounded(if first.is_rate() { 1.0 / ratio.median } else { ratio.median }),
            ours: rounded(spread(|pair| pair.0).median),
            theirs: rounded(spread(|pair| pair.1).median),
            rounds: pairs.len(),
        });
    }
    comparisons
}

fn table_of(comparisons: &[Comparison]) -> String {
    let row = |c: &Comparison| {
        let range = format!("{}–{}", table::number(c.ratio_min), table::number(c.ratio_max));
        let figures = [c.ours, c.theirs, c.ratio].map(table::number);
        let [ours, theirs, ratio] = figures;
        let advantage = format!("{}×", table::number(c.advantage));
        vec![c.workload.clone(), c.metric.clone(), c.against.clone(), ours, theirs, ratio, range, advantage]
    };
    let head = [
        "workload",
        "metric",
        "against",
        "carnyx",
        "theirs",
        "theirs/ours",
        "from–to",
        "carnyx is better by",
    ];
    table::of(&head, &comparisons.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(engine: &str, metrics: &[(&str, f64)]) -> Vec<Line> {
        let line = |&(metric, value): &(&str, f64)| Line {
            engine: engine.into(),
            ..Line::new("W8", metric, &[value])
        };
        metrics.iter().map(line).collect()
    }

    #[test]
    fn ratios_are_made_round_by_round() {
        let ours =
            [1.0, 2.0, 4.0].map(|v| round("carnyx", &[("us/call batch 1 predict", v), ("samples/s", 100.0)]));
        let theirs = [3.0, 4.0, 4.0]
            .map(|v| round("other", &[("us/call batch 1", v), ("samples/s", 50.0), ("elsewhere", 1.0)]));
        let found = compare(&ours, &theirs);
        assert_eq!(found.len(), 2, "what only one of them measures is not compared");
        assert_eq!((found[0].ratio, found[0].ratio_min, found[0].ratio_max), (2.0, 1.0, 3.0));
        assert_eq!((found[0].ours, found[0].theirs, found[0].advantage), (2.0, 4.0, 2.0));
        assert_eq!((found[1].ratio, found[1].advantage), (0.5, 2.0));
    }

    #[test]
    fn results_are_found_among_other_lines() {
        let text = "warming up\n{\"engine\":\"e\",\"workload\":\"W1\",\"metric\":\"s/epoch\",\"median\":1,\"min\":1,\"max\":1}\n{}\n";
        assert_eq!(lines_in(text).len(), 1);
    }
}

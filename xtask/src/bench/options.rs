//! What the command line of `bench` says.

use crate::Result;
use std::fmt;
use std::str::FromStr;

/// A fixed piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workload {
    /// Small network, small batches.
    W1,
    /// Small network, large batches.
    W2,
    /// Two inputs, two outputs, tiny layers.
    W3,
    /// A fresh process.
    W7,
    /// Prediction.
    W8,
}

pub(super) const ALL: [Workload; 5] = [Workload::W1, Workload::W2, Workload::W3, Workload::W7, Workload::W8];

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Workload, String> {
        let names = ALL.map(|workload| workload.to_string());
        let place = names.iter().position(|known| known.eq_ignore_ascii_case(name));
        place
            .map(|i| ALL[i])
            .ok_or_else(|| format!("there is no workload `{name}`: there are {}", names.join(", ")))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub workloads: Vec<Workload>,
    pub blocks: usize,
    pub rounds: usize,
    pub threads: Option<usize>,
    /// Whether fits are recorded, to see what that costs.
    pub profile: bool,
    /// Commands of other programs.
    pub against: Vec<String>,
    /// Whether this process is the one that W7 starts.
    pub is_cold_child: bool,
}

impl Options {
    pub fn parse(words: &[&str]) -> Result<Options> {
        let mut options = Options {
            workloads: Vec::new(),
            blocks: 5,
            rounds: 7,
            threads: None,
            profile: false,
            against: Vec::new(),
            is_cold_child: false,
        };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || words.next().copied().ok_or_else(|| format!("`{word}` needs a value"));
            match word {
                "--blocks" => options.blocks = count(word, value()?)?,
                "--rounds" => options.rounds = count(word, value()?)?,
                "--threads" => options.threads = Some(count(word, value()?)?),
                "--against" => options.against.push(value()?.to_owned()),
                "--profile" => options.profile = true,
                "--cold" => options.is_cold_child = true,
                _ if word.starts_with('-') => return Err(format!("there is no option `{word}`").into()),
                _ => options.workloads.push(word.parse()?),
            }
        }
        if options.workloads.is_empty() {
            options.workloads = ALL.to_vec();
        }
        Ok(options)
    }
}

fn count(option: &str, value: &str) -> Result<usize> {
    match value.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("`{option} {value}`: a whole number from 1 on is needed").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_says() {
        let options =
            Options::parse(&["w1", "W8", "--blocks", "3", "--against", "a b", "--against", "c"]).unwrap();
        assert_eq!(options.workloads, [Workload::W1, Workload::W8]);
        assert_eq!((options.blocks, options.rounds, options.threads), (3, 7, None));
        assert_eq!(options.against, ["a b", "c"]);
        assert_eq!(Options::parse(&[]).unwrap().workloads, ALL);
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |words: &[&str]| Options::parse(words).unwrap_err().to_string();
        assert_eq!(message(&["W4"]), "there is no workload `W4`: there are W1, W2, W3, W7, W8");
        assert_eq!(message(&["--blocks", "0"]), "`--blocks 0`: a whole number from 1 on is needed");
        assert_eq!(message(&["--rounds"]), "`--rounds` needs a value");
        assert_eq!(message(&["--fast"]), "there is no option `--fast`");
    }
}

//! Which part of the numbers an axis shows, and where its ticks stand.
//!
//! Positions on an axis are the numbers themselves, or their decimal logarithms. Invariant: `low < high`, both finite,
//! and there are at least one and at most about a dozen ticks between them.

/// How numbers become positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    Linear,
    Log,
}

impl Scale {
    /// The position of `value`; `None` if it has none. Numbers near the limits of `f64` have none either, so that
    /// differences of positions are finite.
    pub fn position(self, value: f64) -> Option<f64> {
        match self {
            Scale::Linear => (value.abs() < 1e300).then_some(value),
            Scale::Log => (value > 0.0 && value < 1e300).then(|| value.log10()),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub low: f64,
    pub high: f64,
    /// Position and text.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis that shows all `positions` with `margin`, a fraction of their span, on both sides.
    pub fn around(positions: &[f64], margin: f64, scale: Scale) -> Axis {
        let low = positions.iter().copied().fold(f64::INFINITY, f64::min);
        let high = positions.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let magnitude = low.abs().max(high.abs());
        // Equal numbers, up to rounding, get some room around them.
        let pad = if is_wide(low, high) {
            margin * (high - low)
        } else if magnitude > 1e-290 && scale == Scale::Linear {
            0.1 * magnitude
        } else {
            0.5
        };
        let whole = scale == Scale::Linear && positions.iter().all(|p| p.fract() == 0.0);
        Axis::between(low - pad, high + pad, scale, whole)
    }

    /// An axis from `low` to `high`, which are positions; with `whole`, only whole numbers get ticks.
    pub fn between(low: f64, high: f64, scale: Scale, whole: bool) -> Axis {
        let ticks = match scale {
            Scale::Linear => linear_ticks(low, high, whole),
            Scale::Log => log_ticks(low, high),
        };
        Axis { low, high, ticks }
    }
}

/// Whether ticks between these positions can be told apart in 64 bits.
pub(crate) fn is_wide(low: f64, high: f64) -> bool {
    high - low > (1e-9 * low.abs().max(high.abs())).max(1e-290)
}

const MAX_TICKS: f64 = 7.0;

fn linear_ticks(low: f64, high: f64, whole: bool) -> Vec<(f64, String)> {
    let rough = (high - low) / MAX_TICKS;
    let decade = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade).into_iter().find(|&step| step >= rough);
    let step = step.unwrap_or(10.0 * decade).max(if whole { 1.0 } else { 0.0 });
    let first = (low / step).ceil();
    let last = (high / step).floor();
    let largest = low.abs().max(high.abs());
    let is_exact = |decimals: &usize| {
        let scaled = step * 10f64.powi(*decimals as i32);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    let decimals = (0..5).find(is_exact).unwrap_or(5);
    (0..=(last - first) as usize)
        .map(|i| {
            let value = (first + i as f64) * step + 0.0;
            let text = if largest >= 1e6 || step < 1e-4 {
                let digits = (largest.log10().floor() - step.log10().floor()).max(0.0) as usize;
                scientific(value, digits)
            } else {
                format!("{value:.decimals$}")
            };
            (value, text)
        })
        .filter(|(value, _)| (low..=high).contains(value))
        .collect()
}

fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let decades = high.floor() - low.ceil();
    let multiples: &[f64] = match decades {
        d if d >= 3.0 => &[1.0],
        d if d >= 1.0 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let step = ((decades + 1.0) / MAX_TICKS).ceil().max(1.0);
    let exponents = (low.floor() as i32..=high.ceil() as i32).filter(|e| f64::from(*e) % step == 0.0);
    let values: Vec<f64> = exponents
        .flat_map(|e| multiples.iter().map(move |m| format!("{m}e{e}").parse().expect("this is a number")))
        .filter(|value: &f64| (low..=high).contains(&value.log10()))
        .collect();
    if values.len() < 3 {
        // About a decade or less: evenly spaced numbers say more than powers of ten.
        let ticks = linear_ticks(10f64.powf(low), 10f64.powf(high), false);
        return ticks.into_iter().map(|(value, text)| (value.log10(), text)).collect();
    }
    let is_plain = values.iter().all(|value| (1e-3..1e5).contains(value));
    let text = |value: f64| if is_plain { value.to_string() } else { scientific(value, 0) };
    values.into_iter().map(|value| (value.log10(), text(value))).collect()
}

/// A number such as `2.5e-5`, without zeros at the end of its digits.
fn scientific(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    format!("{mantissa}e{exponent}")
}

/// Three digits, or the whole number.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    match magnitude {
        _ if value == 0.0 => "0".to_owned(),
        _ if !(1e-3..1e7).contains(&magnitude) => format!("{value:.2e}"),
        _ if value.fract() == 0.0 || magnitude >= 1000.0 => format!("{value:.0}"),
        _ => {
            let decimals = (2 - magnitude.log10().floor() as i32).clamp(0, 5) as usize;
            let text = format!("{value:.decimals$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], scale: Scale) -> String {
        let positions: Vec<f64> = values.iter().filter_map(|&v| scale.position(v)).collect();
        let axis = Axis::around(&positions, 0.05, scale);
        assert!(axis.low < axis.high, "{axis:?}");
        assert!((1..=14).contains(&axis.ticks.len()), "{axis:?}");
        assert!(axis.ticks.iter().all(|(p, _)| (axis.low..=axis.high).contains(p)), "{axis:?}");
        axis.ticks.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_numbers() {
        use Scale::*;
        let cases: [(&[f64], Scale, &str); 19] = [
            (&[1e-310, 3e-310], Linear, "-0.4 -0.2 0.0 0.2 0.4"),
            (&[0.1, 0.4], Linear, "0.10 0.15 0.20 0.25 0.30 0.35 0.40"),
            (&[1e6, 1e6 + 1e-5], Linear, "9e5 9.5e5 1e6 1.05e6 1.1e6"),
            (&[1.0, 3.0], Linear, "1 2 3"),
            (&[1.0, 30.0], Linear, "0 5 10 15 20 25 30"),
            (&[1.0], Linear, "1"),
            (&[0.0], Linear, "0"),
            (&[0.5, 0.5], Linear, "0.46 0.48 0.50 0.52 0.54"),
            (&[0.12, 0.93], Linear, "0.2 0.4 0.6 0.8"),
            (&[-1.5, 1.5], Linear, "-1.5 -1.0 -0.5 0.0 0.5 1.0 1.5"),
            (&[0.0, 1e-5], Linear, "0 2e-6 4e-6 6e-6 8e-6 1e-5"),
            (&[0.0, 3.2e7], Linear, "0 1e7 2e7 3e7"),
            (&[1e299, -1e299], Linear, "-1e299 -5e298 0 5e298 1e299"),
            (&[1e-5, 10.0], Log, "1e-5 1e-4 1e-3 1e-2 1e-1 1e0 1e1"),
            (&[0.01, 10.0], Log, "0.01 0.1 1 10"),
            (&[0.1, 2.0], Log, "0.1 0.3 1"),
            (&[1.2, 1.9], Log, "1.2 1.4 1.6 1.8"),
            (&[16.0, 64.0], Log, "20 30 40 50 60"),
            (&[1e-300, 1e299], Log, "1e-282 1e-188 1e-94 1e0 1e94 1e188 1e282"),
        ];
        for (values, scale, expected) in cases {
            assert_eq!(labels(values, scale), expected, "{values:?}");
        }
    }

    #[test]
    fn numbers_have_three_digits() {
        let shown = [0.0, 0.71, 0.7142, 12.345, 150.0, 123456.7, 1e-5, -0.0301, 3e9].map(number);
        assert_eq!(shown, ["0", "0.71", "0.714", "12.3", "150", "123457", "1.00e-5", "-0.0301", "3.00e9"]);
    }
}

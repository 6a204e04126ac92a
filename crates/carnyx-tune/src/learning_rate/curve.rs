//! What a curve of losses over rates says: where it begins, how deep it falls, where it turns up, and how sure that is.

/// By how many standard errors two numbers have to differ so that they do not differ by chance. The lowest of hundreds of
/// smoothed losses, some ten of which are independent, is two of them below the others by chance alone.
const CLEAR_DIFFERENCE: f64 = 4.0;

/// Bottoms wider than a power of ten tell nothing about where in them a curve turns up.
const WIDEST_BOTTOM: f64 = 10.0;

/// A curve, smoothed, and what was found on it.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub(super) rates: Vec<f64>,
    pub(super) losses: Vec<f64>,
    pub(super) smoothed: Vec<f64>,
    /// The loss before anything was learned.
    pub(super) start: f64,
    /// The standard deviation of the losses of batches around the curve.
    pub(super) noise: f64,
    pub(super) shape: CurveShape,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum CurveShape {
    /// It fell, and turned up at a step.
    Turned(Turned),
    /// It fell, and had not turned up when the rates ended.
    Falling { lowest: usize },
    /// It never fell, but rose.
    Rising,
    /// It neither fell nor rose.
    Flat,
}

/// A curve that fell and turned up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turned {
    /// The step of the lowest smoothed loss.
    pub(super) lowest: usize,
    /// The steps whose smoothed loss cannot be told from the lowest one.
    pub(super) bottom: (usize, usize),
    /// The last step before half of what the loss had fallen was lost again.
    pub(super) largest: Option<usize>,
    /// Whether fall and bottom stand out from the noise.
    pub(super) is_clear: bool,
}

impl Curve {
    /// `has_exploded`: whether the losses end because the next ones would have been too large.
    pub(super) fn of(rates: &[f64], losses: &[f64], smoothing: f64, has_exploded: bool) -> Curve {
        let begin = &losses[..(losses.len() / 20).max(5).min(losses.len())];
        let start = begin.iter().sum::<f64>() / begin.len() as f64;
        let lowest_loss = losses.iter().copied().fold(f64::INFINITY, f64::min);
        // What has exploded would draw up its neighbours: it counts as no more than much too large.
        let ceiling = start + start.abs().max(start - lowest_loss);
        let capped: Vec<f64> = losses.iter().map(|loss| loss.min(ceiling)).collect();
        let smoothed = smooth(&capped, smoothing);
        let lowest = position_of_lowest(&smoothed);
        let noise = noise_of(&losses[..=lowest.max(begin.len() - 1)]);
        let mut curve = Curve {
            rates: rates[..losses.len()].to_vec(),
            losses: losses.to_vec(),
            smoothed,
            start,
            noise,
            shape: CurveShape::Flat,
        };
        curve.shape = curve.find_shape(lowest, begin.len(), smoothing, has_exploded);
        curve
    }

    fn find_shape(&self, lowest: usize, begin: usize, smoothing: f64, has_exploded: bool) -> CurveShape {
        // A smoothed loss is worth the mean of so many losses: (Σ w)² / Σ w² of weights that fall by `smoothing`.
        let worth = (1.0 + smoothing).powi(3) / ((1.0 - smoothing) * (1.0 + smoothing.powi(2)));
        let error = self.noise * (1.0 / begin as f64 + 1.0 / worth).sqrt();
        // Also without any noise, rounding is no fall.
        let by_chance = (CLEAR_DIFFERENCE * error).max(1e-6 * self.start.abs());
        let low = self.smoothed[lowest];
        let depth = self.start - low;
        let highest_after = self.smoothed[lowest..].iter().copied().fold(low, f64::max);
        let has_risen = has_exploded || highest_after - low > by_chance;
        if depth <= by_chance {
            let highest = self.smoothed.iter().copied().fold(self.start, f64::max);
            let rose = has_exploded || highest - self.start > by_chance;
            return if rose { CurveShape::Rising } else { CurveShape::Flat };
        }
        if !has_risen {
            return CurveShape::Falling { lowest };
        }
        let tolerance = (2.0 * self.noise * (2.0 / worth).sqrt()).max(0.02 * depth);
        let is_bottom = |step: &usize| self.smoothed[*step] <= low + tolerance;
        let first = (0..=lowest).rev().take_while(is_bottom).last().unwrap_or(lowest);
        let last = (lowest..self.smoothed.len()).take_while(is_bottom).last().unwrap_or(lowest);
        let is_lost = |step: usize| self.smoothed[step] > low + depth / 2.0;
        let lost = (lowest..self.smoothed.len()).find(|&step| is_lost(step));
        let end = has_exploded.then_some(self.smoothed.len() - 1);
        let width = self.rates[last] / self.rates[first];
        CurveShape::Turned(Turned {
            lowest,
            bottom: (first, last),
            largest: lost.map(|step| step.saturating_sub(1)).or(end),
            is_clear: width <= WIDEST_BOTTOM && depth > 2.0 * by_chance,
        })
    }
}

fn position_of_lowest(values: &[f64]) -> usize {
    (0..values.len()).min_by(|&i, &j| values[i].total_cmp(&values[j])).unwrap_or(0)
}

/// Means of each value and its neighbours, which count `share^k` at a distance of `k`, on both sides.
fn smooth(values: &[f64], share: f64) -> Vec<f64> {
    // Of the values before each place, it among them: the sum and what the sum of their weights is.
    let sums = |values: &mut dyn Iterator<Item = f64>| -> Vec<(f64, f64)> {
        let step = |(sum, mass): &mut (f64, f64), value: f64| {
            (*sum, *mass) = (*sum * share + value, *mass * share + 1.0);
            Some((*sum, *mass))
        };
        values.scan((0.0, 0.0), step).collect()
    };
    let before = sums(&mut values.iter().copied());
    let after = sums(&mut values.iter().rev().copied());
    let mean = |(i, value): (usize, &f64)| {
        let (before, after) = (before[i], after[values.len() - 1 - i]);
        // The value itself is in both sums.
        (before.0 + after.0 - value) / (before.1 + after.1 - 1.0)
    };
    values.iter().enumerate().map(mean).collect()
}

/// The standard deviation of values around whatever curve they follow: from the median of their second differences, in
/// which neither a slope nor a few wild values count.
pub(crate) fn noise_of(values: &[f64]) -> f64 {
    let bend = |three: &[f64]| (three[0] - 2.0 * three[1] + three[2]).abs();
    let mut bends: Vec<f64> = values.windows(3).map(bend).collect();
    bends.sort_by(f64::total_cmp);
    // The lower one of two: of a short curve, some differences are its bend itself.
    let median = bends.get(bends.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    // 1.4826 makes the median of a normal distribution its deviation; that of `a - 2 b + c` is √6 of theirs.
    1.4826 * median / 6f64.sqrt()
}

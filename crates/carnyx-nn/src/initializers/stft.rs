//! Kernels of the short-time Fourier transform: a convolution that starts with them shows the spectrum of a signal.

use carnyx_graph::{Address, Array, Error, Initializer, Tensor};
use std::f64::consts::PI;

/// Sines or cosines of all frequencies, under a window: `kernel[t, 0, k] = w[t] · cos(2π t k / N) / scale`, and
/// `-sin` for the imaginary part, with `N = 2 (frequencies - 1)`.
///
/// # Shape
/// `[frame_length, 1, frequencies]`: one input channel, and a unit for each frequency from 0 to half the sampling rate.
///
/// # Example
/// ```
/// use carnyx_graph::Variable;
/// use carnyx_nn::{Stft, StftSide, initialize};
/// let kernel = Variable::new(Stft { side: StftSide::Imaginary, ..Stft::default() });
/// kernel.shaped([8, 1, 5]);
/// initialize(std::slice::from_ref(&kernel), 0)?;
/// assert!((kernel.value()?.values()[7] + 0.11619358).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Allen and Rabiner 1977, "A unified approach to short-time Fourier analysis and synthesis".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stft {
    /// Which part of the spectrum.
    pub side: StftSide,
    /// How the ends of a frame fade; a Hann window unless given otherwise.
    pub window: StftWindow,
    /// What the kernel is divided by.
    pub scaling: StftScaling,
    /// Whether the window is one period of an endless one, as spectra want it, and not symmetric.
    pub periodic: bool,
}

/// A part of a spectrum.
///
/// # Example
/// ```
/// assert_eq!(carnyx_nn::StftSide::default(), carnyx_nn::StftSide::Real);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StftSide {
    /// Cosines.
    #[default]
    Real,
    /// Sines, negated.
    Imaginary,
}

/// A sum of cosines that weighs the samples of a frame.
///
/// # Example
/// ```
/// assert_eq!(carnyx_nn::StftWindow::default(), carnyx_nn::StftWindow::Hann);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StftWindow {
    /// `0.5 - 0.5 cos`: zero at the ends.
    #[default]
    Hann,
    /// `0.54 - 0.46 cos`: lower first side lobe, not quite zero at the ends.
    Hamming,
    /// `0.42 - 0.5 cos + 0.08 cos 2`: lower side lobes, a wider main lobe.
    Blackman,
    /// All samples count the same, and nothing is scaled.
    None,
}

/// What makes spectra of different windows comparable.
///
/// # Example
/// ```
/// assert_eq!(carnyx_nn::StftScaling::default(), carnyx_nn::StftScaling::Density);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StftScaling {
    /// The root of the sum of the window's squares: for spectral densities.
    #[default]
    Density,
    /// The sum of the window: for amplitudes.
    Spectrum,
    /// Nothing.
    None,
}

impl StftWindow {
    /// The window's samples; `None` for no window.
    fn samples(self, length: usize, periodic: bool) -> Option<Vec<f64>> {
        let [a, b, c] = match self {
            StftWindow::Hann => [0.5, 0.5, 0.0],
            StftWindow::Hamming => [0.54, 0.46, 0.0],
            StftWindow::Blackman => [0.42, 0.5, 0.08],
            StftWindow::None => return None,
        };
        if length == 1 {
            return Some(vec![1.0]);
        }
        let period = if periodic { length } else { length - 1 } as f64;
        let sample = |i: usize| {
            let angle = 2.0 * PI * i as f64 / period;
            a - b * angle.cos() + c * (2.0 * angle).cos()
        };
        Some((0..length).map(sample).collect())
    }
}

impl Initializer for Stft {
    fn initial(&self, shape: &[usize], _address: Address) -> Tensor {
        let &[length, 1, frequencies] = shape else {
            return Tensor::invalid(
                Error::new("initializer", format!("`Stft` cannot start a variable of shape {shape:?}"))
                    .label("it needs the shape [frame length, 1, frequencies]"),
            );
        };
        if length == 0 || frequencies < 2 {
            return Tensor::invalid(
                Error::new("initializer", format!("`Stft` cannot start a variable of shape {shape:?}"))
                    .label("a spectrum has at least one sample and two frequencies"),
            );
        }
        let window = self.window.samples(length, self.periodic);
        let scale = match (&window, self.scaling) {
            (None, _) | (_, StftScaling::None) => 1.0,
            (Some(w), StftScaling::Density) => w.iter().map(|w| w * w).sum::<f64>().sqrt(),
            (Some(w), StftScaling::Spectrum) => w.iter().map(|w| w.abs()).sum(),
        };
        let period = 2 * (frequencies - 1);
        let kernel = Array::from_fn([length, 1, frequencies], |i| {
            let (time, frequency) = (i / frequencies, i % frequencies);
            // Whole turns are left out: they cost digits.
            let angle = 2.0 * PI * (time * frequency % period) as f64 / period as f64;
            let wave = if self.side == StftSide::Real { angle.cos() } else { -angle.sin() };
            (wave * window.as_ref().map_or(1.0, |window| window[time]) / scale) as f32
        });
        Tensor::from(&kernel)
    }
}

//! A straight line through what tasks took, by the size of their sites: robust,
//! because a run has its outliers (a lock, a slow disk, a lost connection).

use std::collections::BTreeMap;

use reprise_model::Volume;

use super::{Expectation, Moments, Origin};

/// Fewer samples show no line.
const ENOUGH: usize = 10;
/// A line has to leave less than this share of the spread unexplained: of many
/// columns, one will always seem to explain a little.
const WORTH: f64 = 0.75;
/// No time is told as more certain than this.
const LEAST_SIGMA: f64 = 0.02;
/// The shortest time that is told, in seconds: what a journal can tell apart.
const SHORTEST: f64 = 1e-6;

/// What a site's size is read from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Predictor {
    /// Rows and bytes that an earlier run moved or looked at for the site.
    Rows,
    Bytes,
    /// A column of the list of sites.
    Attribute(String),
}

impl Predictor {
    pub(super) fn size(
        &self,
        attributes: &BTreeMap<String, String>,
        measured: Option<&Volume>,
    ) -> Option<f64> {
        match self {
            Self::Rows => measured.map(|volume| volume.rows as f64),
            Self::Bytes => measured.map(|volume| volume.bytes as f64),
            Self::Attribute(name) => number(attributes.get(name)?),
        }
    }
}

/// A finite number that is not negative.
fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// `base + slope * size` seconds.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Fit {
    pub(super) predictor: Predictor,
    base: f64,
    slope: f64,
    pub(super) sigma: f64,
    samples: u32,
}

impl Fit {
    pub(super) fn at(&self, size: f64) -> Expectation {
        Expectation {
            seconds: self.seconds(size),
            sigma: self.sigma,
            samples: self.samples,
            from: Origin::Size,
        }
    }

    fn seconds(&self, size: f64) -> f64 {
        (self.base + self.slope * size).max(SHORTEST)
    }

    /// The line through (size, seconds), if it explains enough of a spread of
    /// `sigma`. Theil's incomplete method (1950): the median of the slopes
    /// between each point of the lower half and its partner in the upper.
    pub(super) fn of(
        predictor: &Predictor,
        mut points: Vec<(f64, f64)>,
        sigma: f64,
    ) -> Option<Self> {
        if points.len() < ENOUGH {
            return None;
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let half = points.len() / 2;
        let (low, high) = (&points[..half], &points[points.len() - half..]);
        let pairs = low.iter().zip(high).filter(|(a, b)| b.0 > a.0);
        let slope = median(pairs.map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect())?;
        let base = median(points.iter().map(|(x, y)| y - slope * x).collect())?;
        let mut fit = Self {
            predictor: predictor.clone(),
            base,
            slope,
            sigma,
            samples: u32::try_from(points.len()).unwrap_or(u32::MAX),
        };
        if fit.base < 0.0 {
            fit.through_zero(&points)?;
        }
        let off = |(x, y): &(f64, f64)| (y / fit.seconds(*x)).ln();
        fit.sigma = spread(points.iter().map(off).collect())?;
        (fit.slope > 0.0 && fit.sigma < WORTH * sigma).then_some(fit)
    }

    /// No task takes less than nothing, however small its site.
    fn through_zero(&mut self, points: &[(f64, f64)]) -> Option<()> {
        let sized = points.iter().filter(|(x, _)| *x > 0.0);
        self.slope = median(sized.map(|(x, y)| y / x).collect())?;
        self.base = 0.0;
        Some(())
    }
}

/// All lines worth it, the best first.
pub(super) fn fits(points: BTreeMap<Predictor, Vec<(f64, f64)>>, sigma: f64) -> Vec<Fit> {
    let worth = |(predictor, points)| Fit::of(&predictor, points, sigma);
    let mut fits: Vec<Fit> = points.into_iter().filter_map(worth).collect();
    fits.sort_by(|a, b| a.sigma.total_cmp(&b.sigma));
    fits
}

/// What all samples together tell.
pub(super) fn whole(seconds: &[f64]) -> Option<Expectation> {
    let middle = median(seconds.to_vec())?;
    Some(Expectation {
        seconds: middle,
        sigma: spread(seconds.iter().map(|took| took.ln()).collect())?,
        samples: u32::try_from(seconds.len()).unwrap_or(u32::MAX),
        from: Origin::Step,
    })
}

/// Of at least one sample.
pub(super) fn moments(seconds: &[f64]) -> Moments {
    let count = seconds.len() as f64;
    let mean = seconds.iter().sum::<f64>() / count;
    let squares: f64 = seconds.iter().map(|took| (took - mean).powi(2)).sum();
    Moments {
        mean,
        deviation: (squares / count).sqrt(),
        samples: u32::try_from(seconds.len()).unwrap_or(u32::MAX),
    }
}

/// The standard deviation that a normal law would have with this median
/// distance from the median.
pub(super) fn spread(logs: Vec<f64>) -> Option<f64> {
    let middle = median(logs.clone())?;
    let away = median(logs.into_iter().map(|log| (log - middle).abs()).collect())?;
    Some((1.4826 * away).max(LEAST_SIGMA))
}

pub(super) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    if numbers.is_empty() {
        return None;
    }
    numbers.sort_by(f64::total_cmp);
    let upper = numbers[numbers.len() / 2];
    let lower = numbers[(numbers.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

/// A measured time as all of this wants it.
pub(super) fn measured(seconds: f32) -> f64 {
    f64::from(seconds).max(SHORTEST)
}

//! Bands: between which values a share of the rehearsals lies.

use serde::Serialize;

/// The shares that are told, in percent.
const SHARES: [u32; 3] = [50, 90, 95];

/// Half of what is left lies below `from`, half above `to`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Band {
    pub percent: u32,
    pub from: f64,
    pub to: f64,
}

/// Seconds, as many rehearsals found them.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Spread {
    pub median: f64,
    pub mean: f64,
    pub bands: Vec<Band>,
}

impl Spread {
    /// Of at least one value.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let band = |percent: u32| {
            let outside = (1.0 - f64::from(percent) / 100.0) / 2.0;
            Band {
                percent,
                from: quantile(&values, outside),
                to: quantile(&values, 1.0 - outside),
            }
        };
        Self {
            median: quantile(&values, 0.5),
            mean: values.iter().sum::<f64>() / values.len().max(1) as f64,
            bands: SHARES.map(band).to_vec(),
        }
    }

    /// The band of this share; one of those that are told.
    pub fn band(&self, percent: u32) -> Band {
        let found = self.bands.iter().find(|band| band.percent == percent);
        *found.expect("a share that is told")
    }
}

/// Between the two nearest of the sorted values, in proportion (Hyndman and
/// Fan, The American Statistician 50 (1996), definition 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_nearest_values() {
        let spread = Spread::of((0..=200).rev().map(f64::from).collect());
        assert_eq!((spread.median, spread.mean), (100.0, 100.0));
        let ends = |percent| (spread.band(percent).from, spread.band(percent).to);
        assert_eq!(ends(50), (50.0, 150.0));
        assert!((ends(90).0 - 10.0).abs() < 1e-9 && (ends(90).1 - 190.0).abs() < 1e-9);
        let single = Spread::of(vec![7.0]);
        assert_eq!((single.median, single.band(95).from), (7.0, 7.0));
        assert_eq!(Spread::of(vec![1.0, 2.0]).median, 1.5);
    }
}

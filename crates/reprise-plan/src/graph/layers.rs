//! Columns: each box one column right of its farthest need, and in each
//! column an order in which few arrows cross.

use super::picture::Picture;

/// How often the columns are swept; crossings hardly fall after that.
const SWEEPS: usize = 12;

/// A place in a column: a box, or a bend of an arrow that passes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spot {
    Box(usize),
    Bend,
}

#[derive(Debug)]
pub(super) struct Layers {
    pub spots: Vec<Spot>,
    /// For each column its spots, from top to bottom.
    pub columns: Vec<Vec<usize>>,
    /// For each arrow the spots that it leads through, both ends included.
    pub routes: Vec<Vec<usize>>,
    pub left: Vec<Vec<usize>>,
    pub right: Vec<Vec<usize>>,
}

impl Layers {
    pub(super) fn of(picture: &Picture) -> Self {
        let column_of = longest_paths(picture);
        let columns = column_of.iter().max().map_or(0, |last| last + 1);
        let mut layers = Self {
            spots: (0..picture.boxes.len()).map(Spot::Box).collect(),
            columns: vec![Vec::new(); columns],
            routes: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
        };
        for (spot, &column) in column_of.iter().enumerate() {
            layers.columns[column].push(spot);
        }
        for arrow in &picture.arrows {
            let mut route = vec![arrow.from];
            for column in column_of[arrow.from] + 1..column_of[arrow.to] {
                route.push(layers.spots.len());
                layers.columns[column].push(layers.spots.len());
                layers.spots.push(Spot::Bend);
            }
            route.push(arrow.to);
            layers.routes.push(route);
        }
        layers.link();
        layers.uncross();
        layers
    }

    fn link(&mut self) {
        self.left = vec![Vec::new(); self.spots.len()];
        self.right = vec![Vec::new(); self.spots.len()];
        for hop in self.routes.iter().flat_map(|route| route.windows(2)) {
            self.right[hop[0]].push(hop[1]);
            self.left[hop[1]].push(hop[0]);
        }
    }

    /// Barycentre heuristic: every spot moves to the mean place of its
    /// neighbours, to the right with those on the left and back.
    fn uncross(&mut self) {
        for sweep in 0..SWEEPS {
            let count = self.columns.len();
            for step in 1..count {
                if sweep % 2 == 0 {
                    self.sort_column(step, step - 1, true);
                } else {
                    self.sort_column(count - 1 - step, count - step, false);
                }
            }
        }
    }

    fn sort_column(&mut self, column: usize, fixed: usize, to_left: bool) {
        let mut place = vec![0.0; self.spots.len()];
        for (at, &spot) in self.columns[fixed].iter().enumerate() {
            place[spot] = at as f64;
        }
        let links = if to_left { &self.left } else { &self.right };
        let spots = self.columns[column].iter().enumerate();
        let mut keyed: Vec<(f64, usize)> = spots
            .map(|(at, &spot)| (mean(&links[spot], &place).unwrap_or(at as f64), spot))
            .collect();
        // Stable, so that equals keep their order and the result is the same each time.
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.columns[column] = keyed.into_iter().map(|(_, spot)| spot).collect();
    }
}

/// The mean of the values at some places; `None` for no place.
pub(super) fn mean(places: &[usize], values: &[f64]) -> Option<f64> {
    let sum: f64 = places.iter().map(|&at| values[at]).sum();
    (!places.is_empty()).then(|| sum / places.len() as f64)
}

/// Boxes come in topological order, so one pass suffices once arrows are
/// grouped by their end.
fn longest_paths(picture: &Picture) -> Vec<usize> {
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); picture.boxes.len()];
    for arrow in &picture.arrows {
        needs[arrow.to].push(arrow.from);
    }
    let mut column = vec![0; picture.boxes.len()];
    for at in 0..picture.boxes.len() {
        let far = needs[at].iter().map(|&need| column[need] + 1).max();
        column[at] = far.unwrap_or(0);
    }
    column
}

//! Coordinates, in pixels: columns beside each other, spots below each other,
//! each as near to the height of its neighbours as the order allows.

use super::layers::{Layers, Spot, mean};
use super::picture::{Box, Picture};

pub(super) const BOX_HEIGHT: f64 = 66.0;
/// Wider than the widest common sans-serif is on average, so that text fits
/// whatever font the viewer has.
pub(super) const NAME_LETTER: f64 = 8.4;
pub(super) const LINE_LETTER: f64 = 6.9;
pub(super) const PADDING: f64 = 16.0;
const BEND_HEIGHT: f64 = 14.0;
const ROW_GAP: f64 = 18.0;
const COLUMN_GAP: f64 = 76.0;
const MIN_WIDTH: f64 = 130.0;
/// How often spots are drawn towards their neighbours.
const ROUNDS: usize = 24;

#[derive(Debug)]
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    /// For each box: left edge, middle height, width.
    pub boxes: Vec<(f64, f64, f64)>,
    /// For each arrow the points it leads through; each but the first and the
    /// last is a bend with the left and right edge of the column it crosses.
    pub routes: Vec<Route>,
}

#[derive(Debug)]
pub(super) struct Route {
    pub start: (f64, f64),
    /// Left edge, right edge, height.
    pub bends: Vec<(f64, f64, f64)>,
    pub end: (f64, f64),
}

impl Layout {
    pub(super) fn of(picture: &Picture) -> Self {
        let layers = Layers::of(picture);
        let ys = heights(&layers);
        let top = ys
            .iter()
            .zip(&layers.spots)
            .map(|(y, s)| y - height(*s) / 2.0);
        let top = top.fold(f64::INFINITY, f64::min);
        let ys: Vec<f64> = ys.iter().map(|y| (y - top).round()).collect();
        let mut edges = vec![(0.0, 0.0); layers.spots.len()];
        let mut boxes = vec![(0.0, 0.0, 0.0); picture.boxes.len()];
        let mut x = 0.0;
        for column in &layers.columns {
            let widest = column
                .iter()
                .map(|&spot| width(layers.spots[spot], picture));
            let widest = widest.fold(MIN_WIDTH, f64::max);
            for &spot in column {
                edges[spot] = (x, x + widest);
                if let Spot::Box(at) = layers.spots[spot] {
                    boxes[at] = (x, ys[spot], widest);
                }
            }
            x += widest + COLUMN_GAP;
        }
        let bottom = ys
            .iter()
            .zip(&layers.spots)
            .map(|(y, s)| y + height(*s) / 2.0);
        Self {
            width: (x - COLUMN_GAP).max(0.0),
            height: bottom.fold(0.0, f64::max),
            boxes,
            routes: layers
                .routes
                .iter()
                .map(|r| route(r, &edges, &ys))
                .collect(),
        }
    }
}

fn route(spots: &[usize], edges: &[(f64, f64)], ys: &[f64]) -> Route {
    let (first, last) = (spots[0], spots[spots.len() - 1]);
    let bends = spots[1..spots.len() - 1].iter();
    Route {
        start: (edges[first].1, ys[first]),
        bends: bends
            .map(|&at| (edges[at].0, edges[at].1, ys[at]))
            .collect(),
        end: (edges[last].0, ys[last]),
    }
}

fn height(spot: Spot) -> f64 {
    match spot {
        Spot::Box(_) => BOX_HEIGHT,
        Spot::Bend => BEND_HEIGHT,
    }
}

fn width(spot: Spot, picture: &Picture) -> f64 {
    match spot {
        Spot::Box(at) => box_width(&picture.boxes[at]),
        Spot::Bend => 0.0,
    }
}

fn box_width(node: &Box) -> f64 {
    let letters = |text: &str| super::svg::shortened(text).chars().count() as f64;
    let lines = node.lines.iter().map(|line| letters(line) * LINE_LETTER);
    let widest = lines.fold(letters(&node.name) * NAME_LETTER, f64::max);
    let round = if node.gate { 2.0 * PADDING } else { 0.0 };
    (widest + 2.0 * PADDING + round).ceil()
}

/// The middle of each spot.
fn heights(layers: &Layers) -> Vec<f64> {
    let mut ys = vec![0.0; layers.spots.len()];
    for column in &layers.columns {
        let wanted = vec![0.0; column.len()];
        place(column, &wanted, layers, &mut ys);
    }
    for round in 0..ROUNDS {
        let count = layers.columns.len();
        for at in 0..count {
            let to_right = round % 2 == 0;
            let column = &layers.columns[if to_right { at } else { count - 1 - at }];
            let links = if to_right {
                &layers.left
            } else {
                &layers.right
            };
            let wanted = column
                .iter()
                .map(|&spot| mean(&links[spot], &ys).unwrap_or(ys[spot]));
            let wanted: Vec<f64> = wanted.collect();
            place(column, &wanted, layers, &mut ys);
        }
    }
    ys
}

/// Puts each spot as near to its wish as its neighbours in the column allow:
/// spots that would overlap form a block around the mean of their wishes.
fn place(column: &[usize], wanted: &[f64], layers: &Layers, ys: &mut [f64]) {
    // Offsets of spots from the top one of a tightly packed column.
    let mut offsets = vec![0.0; column.len()];
    for at in 1..column.len() {
        let (above, below) = (layers.spots[column[at - 1]], layers.spots[column[at]]);
        offsets[at] = offsets[at - 1] + height(above) / 2.0 + ROW_GAP + height(below) / 2.0;
    }
    // Blocks of (sum of wishes less offsets, spots); their means must ascend.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for at in 0..column.len() {
        let mut block = (wanted[at] - offsets[at], 1);
        while let Some(&(sum, spots)) = blocks.last() {
            if sum / spots as f64 <= block.0 / block.1 as f64 {
                break;
            }
            blocks.pop();
            block = (block.0 + sum, block.1 + spots);
        }
        blocks.push(block);
    }
    let mut at = 0;
    for (sum, spots) in blocks {
        for _ in 0..spots {
            ys[column[at]] = sum / spots as f64 + offsets[at];
            at += 1;
        }
    }
}

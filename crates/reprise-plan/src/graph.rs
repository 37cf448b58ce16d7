//! Pictures of a plan: DOT, Mermaid, and an SVG that is laid out here.
//!
//! Small plans are shown task by task, large ones step by step with the
//! number of tasks, because nobody can read ten thousand boxes.

mod layers;
mod layout;
mod picture;
mod svg;
mod text;

use reprise_model::Plan;

use picture::Picture;

/// Graphviz.
pub fn dot(plan: &Plan) -> String {
    text::dot(&Picture::of(plan))
}

/// A Mermaid flowchart, as Markdown renderers show it.
pub fn mermaid(plan: &Plan) -> String {
    text::mermaid(&Picture::of(plan))
}

/// A picture of its own, readable on light and dark grounds.
pub fn svg(plan: &Plan) -> String {
    svg::draw(&Picture::of(plan))
}

//! The layout as SVG. Colours follow the viewer's light or dark scheme, and
//! nothing is told by colour alone: scope is written out, the critical path
//! is thicker.

use std::fmt::Write;

use reprise_model::Scope;

use super::layout::{BOX_HEIGHT, LINE_LETTER, Layout, PADDING, Route};
use super::picture::{Box, Picture};

const INFALLIBLE: &str = "writing to a string cannot fail";
const MARGIN: f64 = 28.0;
const HEADER: f64 = 62.0;
/// Longer texts are cut; the whole one is in the tooltip.
const LETTERS: usize = 44;
/// The header must fit whatever the plan's size.
const MIN_WIDTH: f64 = 640.0;

const STYLE: &str = "
  :root { color-scheme: light dark; }
  .ground { fill: #ffffff; }
  text { font-family: ui-sans-serif, system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif; fill: #1f2933; }
  .title { font-size: 15px; font-weight: 600; }
  .legend { font-size: 12px; fill: #52606d; }
  .name { font-size: 14px; font-weight: 600; }
  .line { font-size: 12px; fill: #52606d; }
  .box { fill: #f8fafc; stroke: #9aa5b1; stroke-width: 1; }
  .arrow { fill: none; stroke: #9aa5b1; stroke-width: 1.2; }
  .head { fill: #9aa5b1; }
  .run { fill: #7b8794; } .shard { fill: #2680c2; } .site { fill: #3f9142; }
  .critical .box { stroke: #c2410c; stroke-width: 2.5; }
  .arrow.critical { stroke: #c2410c; stroke-width: 2.8; }
  .head.critical { fill: #c2410c; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #14181d; }
    text { fill: #e4e7eb; }
    .legend, .line { fill: #9aa5b1; }
    .box { fill: #1f2730; stroke: #616e7c; }
    .arrow { stroke: #616e7c; } .head { fill: #616e7c; }
    .run { fill: #9aa5b1; } .shard { fill: #62b0e8; } .site { fill: #74c476; }
    .critical .box, .arrow.critical { stroke: #fb923c; }
    .head.critical { fill: #fb923c; }
  }
";

pub(super) fn draw(picture: &Picture) -> String {
    let layout = Layout::of(picture);
    let title_width = picture.title.chars().count() as f64 * 8.6;
    let width = layout.width.max(title_width).max(MIN_WIDTH) + 2.0 * MARGIN;
    let height = layout.height + HEADER + 2.0 * MARGIN;
    let title = escaped(&picture.title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{title}</text>\n",
        MARGIN + 14.0
    );
    legend(&mut out);
    let top = MARGIN + HEADER;
    writeln!(out, "<g transform=\"translate({MARGIN} {top})\">").expect(INFALLIBLE);
    // Critical arrows last, so that they lie on top.
    for critical in [false, true] {
        let arrows = picture.arrows.iter().zip(&layout.routes);
        for (_, route) in arrows.filter(|(arrow, _)| arrow.critical == critical) {
            arrow(&mut out, route, critical);
        }
    }
    for (node, place) in picture.boxes.iter().zip(&layout.boxes) {
        draw_box(&mut out, node, *place);
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn legend(out: &mut String) {
    let y = MARGIN + 38.0;
    let mut x = MARGIN;
    for scope in Scope::ALL {
        let (class, text) = (scope.as_str(), format!("once a {}", scope.as_str()));
        let (swatch, label) = (y - 10.0, x + 12.0);
        writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{swatch}\" width=\"5\" height=\"12\" rx=\"2\"/>\
             <text class=\"legend\" x=\"{label}\" y=\"{y}\">{text}</text>"
        )
        .expect(INFALLIBLE);
        x += 34.0 + text.chars().count() as f64 * LINE_LETTER;
    }
    let (line, end, label) = (y - 4.0, x + 26.0, x + 34.0);
    writeln!(
        out,
        "<path class=\"arrow critical\" d=\"M{x} {line}H{end}\"/>\
         <text class=\"legend\" x=\"{label}\" y=\"{y}\">critical path</text>"
    )
    .expect(INFALLIBLE);
}

/// A curve that is level where it leaves and where it arrives, and straight
/// where it passes between boxes.
fn arrow(out: &mut String, route: &Route, critical: bool) {
    const HEAD: f64 = 8.0;
    let class = if critical { " critical" } else { "" };
    let (mut x, mut y) = route.start;
    let mut path = format!("M{x} {y}");
    let mut curve_to = |path: &mut String, to_x: f64, to_y: f64| {
        let middle = (x + to_x) / 2.0;
        write!(path, "C{middle} {y} {middle} {to_y} {to_x} {to_y}").expect(INFALLIBLE);
        (x, y) = (to_x, to_y);
    };
    for &(left, right, height) in &route.bends {
        curve_to(&mut path, left, height);
        write!(path, "H{right}").expect(INFALLIBLE);
        curve_to(&mut path, right, height);
    }
    let (end, level) = route.end;
    curve_to(&mut path, end - HEAD, level);
    let (back, above, below) = (end - HEAD, level - 4.0, level + 4.0);
    writeln!(
        out,
        "<path class=\"arrow{class}\" d=\"{path}\"/>\
         <path class=\"head{class}\" d=\"M{back} {above}L{end} {level}L{back} {below}Z\"/>"
    )
    .expect(INFALLIBLE);
}

fn draw_box(out: &mut String, node: &Box, (x, middle, width): (f64, f64, f64)) {
    let class = if node.critical {
        "step critical"
    } else {
        "step"
    };
    let (scope, y) = (node.scope.as_str(), middle - BOX_HEIGHT / 2.0);
    let radius = if node.gate { BOX_HEIGHT / 2.0 } else { 8.0 };
    // A gate is round; its stripe starts further in.
    let (stripe, inset) = if node.gate { (12.0, 24.0) } else { (0.0, 12.0) };
    write!(
        out,
        "<g class=\"{class}\"><title>{}</title>\
         <rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"{radius}\"/>\
         <rect class=\"{scope}\" x=\"{}\" y=\"{}\" width=\"5\" height=\"{}\" rx=\"2\"/>",
        escaped(&node.name),
        x + stripe + 5.0,
        y + inset,
        BOX_HEIGHT - 2.0 * inset,
    )
    .expect(INFALLIBLE);
    let text = x + stripe + PADDING;
    let name = escaped(&shortened(&node.name));
    let base = y + 22.0;
    write!(
        out,
        "<text class=\"name\" x=\"{text}\" y=\"{base}\">{name}</text>"
    )
    .expect(INFALLIBLE);
    for (at, line) in node.lines.iter().enumerate() {
        let base = base + 17.0 * (at + 1) as f64;
        let line = escaped(&shortened(line));
        write!(
            out,
            "<text class=\"line\" x=\"{text}\" y=\"{base}\">{line}</text>"
        )
        .expect(INFALLIBLE);
    }
    out.push_str("</g>\n");
}

pub(super) fn shortened(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    let head: String = text.chars().take(LETTERS - 1).collect();
    format!("{head}…")
}

/// XML has no place for most control characters, escaped or not.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

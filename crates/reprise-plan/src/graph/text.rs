//! The formats that others lay out.

use std::fmt::Write;

use reprise_model::Scope;

use super::picture::{Box, Picture};

const INFALLIBLE: &str = "writing to a string cannot fail";

pub(super) fn dot(picture: &Picture) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n");
    let title = quoted(&picture.title);
    writeln!(out, "  label={title}; labelloc=t; fontname=\"sans-serif\";").expect(INFALLIBLE);
    out.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    for (at, node) in picture.boxes.iter().enumerate() {
        let label = quoted(&label(node, "\n"));
        let width = if node.critical { ", penwidth=2.5" } else { "" };
        let shape = if node.gate { ", shape=hexagon" } else { "" };
        writeln!(out, "  n{at} [label={label}{shape}{width}];").expect(INFALLIBLE);
    }
    for arrow in &picture.arrows {
        let width = if arrow.critical {
            " [penwidth=2.5]"
        } else {
            ""
        };
        writeln!(out, "  n{} -> n{}{width};", arrow.from, arrow.to).expect(INFALLIBLE);
    }
    out.push_str("}\n");
    out
}

/// A quoted string of DOT, in which only these are special.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

pub(super) fn mermaid(picture: &Picture) -> String {
    let title = picture.title.replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = format!("---\ntitle: \"{title}\"\n---\nflowchart LR\n");
    for (at, node) in picture.boxes.iter().enumerate() {
        let label = entities(&label(node, "\n")).replace('\n', "<br/>");
        let (open, close) = match (node.gate, node.scope) {
            (true, _) => ("{{", "}}"),
            (false, Scope::Run) => ("(", ")"),
            (false, Scope::Shard) => ("[[", "]]"),
            (false, Scope::Site) => ("[", "]"),
        };
        writeln!(out, "  n{at}{open}\"{label}\"{close}").expect(INFALLIBLE);
    }
    for arrow in &picture.arrows {
        let line = if arrow.critical { "==>" } else { "-->" };
        writeln!(out, "  n{} {line} n{}", arrow.from, arrow.to).expect(INFALLIBLE);
    }
    let critical = picture.boxes.iter().enumerate().filter(|(_, b)| b.critical);
    let critical: Vec<String> = critical.map(|(at, _)| format!("n{at}")).collect();
    if !critical.is_empty() {
        out.push_str("  classDef critical stroke-width:3px\n");
        writeln!(out, "  class {} critical", critical.join(",")).expect(INFALLIBLE);
    }
    out
}

/// Mermaid's own way to write what its grammar or HTML would take for markup.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '<' | '>' | '&' | '#' | ';' | '`' | '\\' => {
                write!(out, "#{};", u32::from(letter)).expect(INFALLIBLE);
            }
            _ => out.push(letter),
        }
    }
    out
}

fn label(node: &Box, end: &str) -> String {
    let lines = std::iter::once(&node.name).chain(&node.lines);
    let lines: Vec<&str> = lines.map(String::as_str).collect();
    lines.join(end)
}

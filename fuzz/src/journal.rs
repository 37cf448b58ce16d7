//! The journal: lines that are entries or not, entries that a run can be taken
//! up from or not, and a report over whatever could be read. A changed journal
//! is an error that names the place, never a panic.

use reprise_model::{Entry, RunId, Timestamp};
use reprise_report::{Estimate, Fold, exit, render};
use serde_json::Value;

use crate::choices::Choices;
use crate::mutate::mutate;
use crate::{drive, sample};

pub fn target(data: &[u8]) {
    let plan = sample::plan();
    let entries = match data.starts_with(b"{") {
        true => written(data),
        false => changed(data),
    };
    let Some(entries) = entries else { return };
    let _ = drive::resume(&plan, &entries, &mut Choices::new(data));
    report(&entries);
}

/// Lines as a page holds them.
fn written(data: &[u8]) -> Option<Vec<Entry>> {
    let text = std::str::from_utf8(data).ok()?;
    let entries = text.lines().map(serde_json::from_str).collect();
    Result::ok(entries)
}

/// A run that could have been, and changes to what it wrote.
fn changed(data: &[u8]) -> Option<Vec<Entry>> {
    let (changes, run) = data.split_at(data.len().min(24));
    let entries = drive::run(&sample::plan(), &mut Choices::new(run));
    let mut written = serde_json::to_value(&entries).expect("entries are plain data");
    mutate(&mut written, &mut Choices::new(changes));
    // Places are made to fit, or nothing past the first gap would be looked at.
    if let Value::Array(lines) = &mut written {
        for (seq, line) in lines.iter_mut().enumerate() {
            if let Value::Object(line) = line {
                line.insert("seq".to_owned(), Value::from(seq));
            }
        }
    }
    serde_json::from_value(written).ok()
}

fn report(entries: &[Entry]) {
    let run = RunId::from("fuzzed");
    let mut fold = Fold::new(sample::plan());
    for entry in entries {
        fold.apply(entry);
    }
    let now = Timestamp::from_micros(1_700_001_000_000_000);
    let _ = fold.status(&run, now).text();
    let _ = Estimate::text(Estimate::of(&fold, now));
    let report = fold.report(&run, None);
    let _ = exit(&report);
    let _ = (render::text(&report), render::markdown(&report));
    let _ = (render::html(&report), render::json(&report));
}

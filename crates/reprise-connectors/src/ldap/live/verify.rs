//! Proof that a slice is whole: entry by entry, member by member. Evidence
//! holds counts, DNs and names of attributes, never a value.

use reprise_model::{Check, Fault, FaultKind, Outcome, Verdict, Volume};
use serde_json::{Value, json};

use super::compare::{Merge, Present};
use super::connection::Session;
use crate::ldap::entry::Entry;
use crate::ldap::names::Names;
use crate::ldap::slice::Slice;

/// DNs of each kind that evidence names.
const SAMPLES: usize = 10;

pub async fn verify(session: &mut Session, names: &Names, slice: &Slice) -> Result<Outcome, Fault> {
    let present = Present::read(session, names, slice).await?;
    let checks = vec![
        entries(&present, slice),
        memberships(&present, slice),
        shared(&present, slice, names),
    ];
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.verdict != Verdict::Pass)
        .map(|check| check.name.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(Outcome {
            volume: Volume {
                rows: slice.entries.len() as u64,
                bytes: 0,
            },
            checks,
            ..Outcome::default()
        });
    }
    let message = format!("`{}` is not whole: {}", names.base, failed.join(", "));
    let mut fault = Fault::new(FaultKind::Validation, message);
    fault.checks = checks;
    Err(fault)
}

fn entries(present: &Present, slice: &Slice) -> Check {
    let missing = present.missing(slice);
    let extra = present.extra(slice);
    let differing = present.differing(slice);
    let named = |(entry, names): &(&Entry, Vec<String>)| json!({ "dn": entry.dn, "in": names });
    let new_ids = slice.entries.iter().filter(|entry| {
        let there = present.own.get(&entry.key());
        there.is_some_and(|there| there.text("entryuuid") != entry.text("entryuuid"))
    });
    let evidence = json!({
        "expected": slice.entries.len(),
        "found": present.own.len(),
        "missing": missing.len(),
        "extra": extra.len(),
        "differing": differing.len(),
        "other_entry_uuid": new_ids.count(),
        "missing_samples": dns(&missing),
        "extra_samples": dns(&extra),
        "differing_samples": differing.iter().take(SAMPLES).map(named).collect::<Vec<_>>(),
    });
    // Nothing at T is nothing to compare with: nobody looked.
    let verdict = match missing.len() + extra.len() + differing.len() {
        0 if slice.entries.is_empty() => Verdict::Unknown,
        0 => Verdict::Pass,
        _ => Verdict::Fail,
    };
    check("entries", verdict, evidence)
}

fn memberships(present: &Present, slice: &Slice) -> Check {
    let lacking = present.lacking(slice);
    let expected = slice
        .memberships
        .iter()
        .flat_map(|one| one.members.values());
    let expected: usize = expected.map(|values| values.len()).sum();
    let pairs = lacking.iter().flat_map(|(group, _, members)| {
        let values = members.values().flatten();
        values.map(|value| json!({ "group": group.dn, "member": String::from_utf8_lossy(value) }))
    });
    let pairs: Vec<Value> = pairs.collect();
    let evidence = json!({
        "groups": slice.memberships.len(),
        "expected": expected,
        "missing": pairs.len(),
        "missing_samples": pairs.iter().take(SAMPLES).collect::<Vec<_>>(),
    });
    check("memberships", passes(pairs.is_empty()), evidence)
}

fn shared(present: &Present, slice: &Slice, names: &Names) -> Check {
    let merges = present.merges(slice, names);
    let named = |merge: &Merge<'_>| match merge {
        Merge::Absent(entry) => json!({ "dn": entry.dn, "absent": true }),
        Merge::Lacks(entry, lacks) => {
            json!({ "dn": entry.dn, "lacks": lacks.keys().collect::<Vec<_>>() })
        }
    };
    let evidence = json!({
        "expected": slice.shared.len(),
        "incomplete": merges.len(),
        "incomplete_samples": merges.iter().take(SAMPLES).map(named).collect::<Vec<_>>(),
    });
    check("shared-entries", passes(merges.is_empty()), evidence)
}

fn passes(holds: bool) -> Verdict {
    if holds { Verdict::Pass } else { Verdict::Fail }
}

fn check(name: &str, verdict: Verdict, evidence: Value) -> Check {
    Check {
        name: name.to_owned(),
        verdict,
        evidence,
    }
}

fn dns(entries: &[&Entry]) -> Vec<String> {
    let named = entries.iter().take(SAMPLES);
    named.map(|entry| entry.dn.clone()).collect()
}

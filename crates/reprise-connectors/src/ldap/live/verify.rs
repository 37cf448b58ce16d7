//! Proof that a slice is whole: entry by entry, member by member. Evidence
//! holds counts, DNs and names of attributes, never a value.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::dn::DnKey;
use reprise_model::{Check, Fault, FaultKind, Outcome, Verdict, Volume};
use serde_json::{Value, json};

use super::compare::{Lacking, Merge, Present};
use super::connection::Session;
use super::derived::Derived;
use crate::ldap::entry::Entry;
use crate::ldap::names::{MEMBER_UID, Names};
use crate::ldap::options::Undecided;
use crate::ldap::slice::Slice;

const UNDECIDED: &str = "memberships-undecided";
/// Entries whose groups live is asked for.
const MOST_ASKED: usize = 1000;
/// DNs of each kind that evidence names.
const SAMPLES: usize = 10;

pub async fn verify(
    session: &mut Session,
    names: &Names,
    slice: &Slice,
    rule: Undecided,
) -> Result<Outcome, Fault> {
    let present = Present::read(session, names, slice).await?;
    let gained = match gained(session, &present, slice, names).await {
        Err(fault) if fault.kind.may_pass() => return Err(fault),
        gained => gained.ok().flatten(),
    };
    let mut checks = vec![
        entries(&present, slice),
        memberships(&present, slice, gained.as_deref()),
        shared(&present, slice, names),
    ];
    checks.extend(member_of(&present, slice, names));
    checks.extend(undecided(&present, slice, rule));
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.verdict != Verdict::Pass)
        .map(|check| check.name.as_str())
        .collect();
    let failed = failed.join(", ");
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
    let message = format!("`{}` is not whole: {}", names.base, failed);
    let mut fault = Fault::new(FaultKind::Validation, message);
    if failed == UNDECIDED {
        fault = fault.hint(
            "somebody has to look: `with: { undecided: add }` in restore and verify brings them back, `leave` leaves them",
        );
    }
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

fn memberships(present: &Present, slice: &Slice, gained: Option<&[Value]>) -> Check {
    let expected = slice
        .memberships
        .iter()
        .flat_map(|one| one.members.values());
    let expected: usize = expected.map(|values| values.len()).sum();
    let missing = pairs(&present.lacking(&slice.memberships));
    let evidence = json!({
        "groups": slice.memberships.len(),
        "expected": expected,
        "missing": missing.len(),
        "gained_since": gained.map(<[Value]>::len),
        "missing_samples": samples(&missing),
        "gained_samples": gained.map(samples),
    });
    check("memberships", passes(missing.is_empty()), evidence)
}

/// Memberships of the site's own entries that came after T. They stay: a group
/// outside of the subtree is not the site's. Absent where that is too much to
/// ask for a number that decides nothing.
async fn gained(
    session: &mut Session,
    present: &Present,
    slice: &Slice,
    names: &Names,
) -> Result<Option<Vec<Value>>, Fault> {
    let Some(place) = &names.groups else {
        return Ok(Some(Vec::new()));
    };
    if slice.entries.len() > MOST_ASKED {
        return Ok(None);
    }
    let ours: BTreeSet<DnKey> = slice.entries.iter().map(Entry::key).collect();
    // By the name that the group has in live.
    let mut then: BTreeMap<DnKey, BTreeSet<DnKey>> = BTreeMap::new();
    for membership in &slice.memberships {
        let group = present.of(&membership.group).unwrap_or(&membership.group);
        let members = membership.members.values().flatten();
        let known = then.entry(group.key()).or_default();
        known.extend(members.map(|value| DnKey::of_value(value)));
    }
    let own: Vec<String> = slice.entries.iter().map(|entry| entry.dn.clone()).collect();
    let attributes = names.member.iter().filter(|name| *name != MEMBER_UID);
    let mut groups = BTreeMap::new();
    for attribute in attributes {
        let found = session.with_any(place, attribute, &own).await?;
        groups.extend(found.into_iter().map(|group| (group.key(), group)));
    }
    let mut gained = Vec::new();
    for (key, group) in groups {
        if key.is_in(&names.base_key) {
            continue;
        }
        let known = then.remove(&key).unwrap_or_default();
        let attributes = names.member.iter().filter(|name| *name != MEMBER_UID);
        for value in attributes.flat_map(|name| group.values(name)) {
            let member = DnKey::of_value(value);
            if ours.contains(&member) && !known.contains(&member) {
                gained.push(pair(&group.dn, value));
            }
        }
    }
    Ok(Some(gained))
}

/// What the server derives from groups, where it did at T.
fn member_of(present: &Present, slice: &Slice, names: &Names) -> Option<Check> {
    let derived = Derived::of(present, slice, names);
    let missing: Vec<Value> = derived
        .missing
        .iter()
        .map(|one| json!({ "group": one.group, "member": one.member }))
        .collect();
    let evidence = json!({
        "expected": derived.expected,
        "missing": missing.len(),
        "missing_samples": samples(&missing),
    });
    let verdict = passes(missing.is_empty());
    (derived.expected > 0).then(|| check("member-of", verdict, evidence))
}

/// Memberships that live lacks and that are not the site's alone to bring back:
/// named, so that somebody looks.
fn undecided(present: &Present, slice: &Slice, rule: Undecided) -> Option<Check> {
    let mut missing = pairs(&present.lacking(&slice.undecided));
    missing.extend(pairs(&present.lacking(&slice.renamed)));
    let evidence = json!({
        "undecided": missing.len(),
        "undecided_samples": samples(&missing),
        "why": "other sites have these entries too, which are not restored with this one; or the entries were renamed between the snapshot and the target time, and whether groups followed is in no log",
    });
    let verdict = match rule {
        Undecided::Unknown => Verdict::Unknown,
        // What is left of them is in the site's own groups, which are as they were.
        Undecided::Add | Undecided::Leave => Verdict::Pass,
    };
    (!missing.is_empty()).then(|| check(UNDECIDED, verdict, evidence))
}

fn pairs(lacking: &[Lacking<'_>]) -> Vec<Value> {
    let pairs = lacking.iter().flat_map(|one| {
        let group = one.now.unwrap_or(one.then);
        let values = one.members.values().flatten();
        values.map(|value| pair(&group.dn, value))
    });
    pairs.collect()
}

fn pair(group: &str, member: &[u8]) -> Value {
    json!({ "group": group, "member": String::from_utf8_lossy(member) })
}

fn samples(all: &[Value]) -> &[Value] {
    &all[..all.len().min(SAMPLES)]
}

fn shared(present: &Present, slice: &Slice, names: &Names) -> Check {
    let merges = present.merges(slice, names);
    let named = |merge: &Merge<'_>| match merge {
        Merge::Absent(entry) => json!({ "dn": entry.dn, "absent": true }),
        Merge::Lacks { now, lacks, .. } => {
            json!({ "dn": now.dn, "lacks": lacks.keys().collect::<Vec<_>>() })
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

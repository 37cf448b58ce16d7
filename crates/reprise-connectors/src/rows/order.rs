//! Load order: parents before children, the tables of a cycle side by side.

use std::collections::BTreeMap;

use super::{ForeignKey, TableName};

/// Tables in load order. `depths` names them all, with their distance from
/// the root; within a cycle the nearer one comes first.
pub fn load_order(keys: &[&ForeignKey], depths: &BTreeMap<TableName, u32>) -> Vec<TableName> {
    let mut waiting: BTreeMap<&TableName, Vec<&TableName>> =
        depths.keys().map(|table| (table, Vec::new())).collect();
    for key in keys.iter().filter(|key| !key.refers_to_itself()) {
        if depths.contains_key(&key.parent)
            && let Some(parents) = waiting.get_mut(&key.child)
        {
            parents.push(&key.parent);
        }
    }
    let mut order: Vec<TableName> = Vec::with_capacity(depths.len());
    while !waiting.is_empty() {
        let next = next_group(&waiting, depths);
        for table in next {
            waiting.remove(&table);
            for parents in waiting.values_mut() {
                parents.retain(|parent| **parent != table);
            }
            order.push(table);
        }
    }
    order
}

/// The tables that wait for nothing; where there are none, one whole cycle
/// that waits for nothing but itself.
fn next_group(
    waiting: &BTreeMap<&TableName, Vec<&TableName>>,
    depths: &BTreeMap<TableName, u32>,
) -> Vec<TableName> {
    let mut group: Vec<&TableName> = waiting
        .iter()
        .filter(|(_, parents)| parents.is_empty())
        .map(|(table, _)| *table)
        .collect();
    if group.is_empty() {
        group = waiting
            .keys()
            .map(|table| reachable(table, waiting))
            .min_by_key(Vec::len)
            .unwrap_or_default();
    }
    group.sort_by_key(|table| (depths[*table], (*table).clone()));
    group.into_iter().cloned().collect()
}

/// The table and all that it waits for. The smallest of these sets is closed
/// in itself: a cycle with nothing before it.
fn reachable<'a>(
    from: &'a TableName,
    waiting: &BTreeMap<&'a TableName, Vec<&'a TableName>>,
) -> Vec<&'a TableName> {
    let mut seen = vec![from];
    let mut at = 0;
    while let Some(table) = seen.get(at) {
        at += 1;
        for parent in waiting.get(table).into_iter().flatten() {
            if !seen.contains(parent) {
                seen.push(parent);
            }
        }
    }
    seen
}

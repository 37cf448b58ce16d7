//! Live against what was there at T, and against the diary.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::then::remembered;
use super::{Items, Layer, diary};
use crate::Error;
use crate::audit::Sites;
use crate::layout::Layout;

/// Of each layer's differences, this many are shown.
const SAMPLES: usize = 20;
/// A neighbour's writer may be between its change and its line in the diary.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct LayerSummary {
    pub store: String,
    pub restored_items: u64,
    pub neighbour_items: u64,
    pub differences: u64,
    pub samples: Vec<ItemDifference>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ItemDifference {
    pub site: i64,
    pub item: String,
    pub kind: ItemKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    Missing,
    Surplus,
    Different,
}

/// Judges every layer; `sites` are those of the accident.
pub async fn audit(
    layout: &Layout,
    layers: &mut [Box<dyn Layer>],
    sites: &Sites,
) -> Result<Vec<LayerSummary>, Error> {
    let mut summaries = Vec::new();
    if layers.is_empty() {
        return Ok(summaries);
    }
    let then = remembered(layout)?;
    for layer in layers {
        let of_layer = then.get(layer.name()).cloned().unwrap_or_default();
        summaries.push(audit_layer(layout, layer.as_mut(), &of_layer, sites).await?);
    }
    Ok(summaries)
}

async fn audit_layer(
    layout: &Layout,
    layer: &mut dyn Layer,
    then: &BTreeMap<i64, Items>,
    sites: &Sites,
) -> Result<LayerSummary, Error> {
    let mut summary = LayerSummary {
        store: layer.name().to_owned(),
        ..LayerSummary::default()
    };
    let all: BTreeSet<i64> = diary::read(layout, layer.name())?.into_keys().collect();
    for site in all {
        let is_neighbour = !sites.restored.contains(&site) && !sites.gone.contains(&site);
        let mut looks = 0;
        let (live, differences) = loop {
            let live = layer.items(site).await?;
            let expected = match is_neighbour {
                true => diary::read(layout, layer.name())?.remove(&site),
                false if sites.restored.contains(&site) => then.get(&site).cloned(),
                false => None,
            };
            let found = compare(site, &expected.unwrap_or_default(), &live);
            looks += 1;
            if found.is_empty() || !is_neighbour || looks == LOOKS {
                break (live, found);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        };
        match is_neighbour {
            true => summary.neighbour_items += live.len() as u64,
            false => summary.restored_items += live.len() as u64,
        }
        summary.differences += differences.len() as u64;
        let room = SAMPLES.saturating_sub(summary.samples.len());
        summary.samples.extend(differences.into_iter().take(room));
    }
    Ok(summary)
}

fn compare(site: i64, expected: &Items, live: &Items) -> Vec<ItemDifference> {
    let difference = |item: &str, kind| ItemDifference {
        site,
        item: item.to_owned(),
        kind,
    };
    let mut found = Vec::new();
    for (item, digest) in expected {
        match live.get(item) {
            None => found.push(difference(item, ItemKind::Missing)),
            Some(now) if now != digest => found.push(difference(item, ItemKind::Different)),
            Some(_) => {}
        }
    }
    let surplus = live.keys().filter(|item| !expected.contains_key(*item));
    found.extend(surplus.map(|item| difference(item, ItemKind::Surplus)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_differ_has_a_name() {
        let items = |of: &[(&str, &str)]| -> Items {
            let pairs = of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            pairs.collect()
        };
        let expected = items(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let live = items(&[("a", "1"), ("b", "2"), ("d", "1")]);
        let kinds: Vec<_> = compare(1, &expected, &live)
            .into_iter()
            .map(|it| (it.item, it.kind))
            .collect();
        let named = |item: &str, kind| (item.to_owned(), kind);
        assert_eq!(
            kinds,
            [
                named("b", ItemKind::Different),
                named("c", ItemKind::Missing),
                named("d", ItemKind::Surplus)
            ]
        );
    }
}

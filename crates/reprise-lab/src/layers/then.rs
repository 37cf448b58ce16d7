//! What the sites of an accident had at T, and their deletion.

use std::collections::BTreeMap;
use std::fs;

use super::{Items, Layer};
use crate::Error;
use crate::layout::{Layout, replace};

/// Changes of one site between T and its deletion, which must not come back.
const LATE_CHANGES: u64 = 3;

/// By layer, then by site.
pub type Then = BTreeMap<String, BTreeMap<i64, Items>>;

/// Reads what the sites have in every layer, while nobody writes to them.
pub async fn remember(
    layout: &Layout,
    layers: &mut [Box<dyn Layer>],
    sites: &[i64],
) -> Result<(), Error> {
    let mut then = Then::new();
    for layer in layers {
        let mut of_layer = BTreeMap::new();
        for site in sites {
            of_layer.insert(*site, layer.items(*site).await?);
        }
        then.insert(layer.name().to_owned(), of_layer);
    }
    let path = layout.then();
    let text = serde_json::to_string(&then).map_err(Error::unreadable(&path))?;
    replace(&path, &text)
}

pub fn remembered(layout: &Layout) -> Result<Then, Error> {
    let path = layout.then();
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    serde_json::from_str(&text).map_err(Error::unreadable(&path))
}

/// What the sites' people did between T and the accident.
pub async fn change_once_more(layers: &mut [Box<dyn Layer>], sites: &[i64]) -> Result<(), Error> {
    for layer in layers {
        for site in sites {
            for number in 0..LATE_CHANGES {
                layer.change(*site, number).await?;
            }
        }
    }
    Ok(())
}

pub async fn delete(layers: &mut [Box<dyn Layer>], site: i64) -> Result<(), Error> {
    for layer in layers {
        layer.delete(site).await?;
    }
    Ok(())
}

pub async fn hand_over(layers: &mut [Box<dyn Layer>]) -> Result<(), Error> {
    for layer in layers {
        layer.hand_over().await?;
    }
    Ok(())
}

//! From a tree that was found to be right to the values. `None` means that
//! the checks let something through.

use reprise_model::{Action, HaltRule, Pool, Retry, Runbook, Scope, Step};

use crate::shape::{backoff, duration, limit, rate, wave};
use crate::yaml::{Entry, Node};

pub(super) fn runbook(root: &Node) -> Option<Runbook> {
    let entries = |key| root.get(key).map_or(&[][..], Node::entries);
    let waves = root.get("waves").map_or(&[][..], Node::items);
    let halt = match root.get("halt") {
        Some(halt) => HaltRule {
            failed_sites: Some(limit(halt.get("failed_sites")?.scalar()?)?),
            checks: halt.text_at("checks") == Some("true"),
        },
        None => HaltRule::default(),
    };
    Some(Runbook {
        name: root.text_at("name")?.to_owned(),
        waves: waves
            .iter()
            .map(|size| wave(size.scalar()?))
            .collect::<Option<_>>()?,
        halt,
        slots: match root.get("slots") {
            Some(slots) => Some(count(slots)?),
            None => None,
        },
        pools: entries("pools").iter().map(pool).collect::<Option<_>>()?,
        steps: entries("steps").iter().map(step).collect::<Option<_>>()?,
    })
}

fn count(node: &Node) -> Option<u32> {
    u32::try_from(node.scalar()?.whole()?).ok()
}

fn pool(entry: &Entry) -> Option<Pool> {
    let slots = entry.value.get("slots").unwrap_or(&entry.value);
    Some(Pool {
        name: entry.key.as_str().into(),
        slots: count(slots)?,
        rate_per_second: entry.value.text_at("rate").and_then(rate),
    })
}

fn step(entry: &Entry) -> Option<Step> {
    let node = &entry.value;
    let scope = node.text_at("scope")?;
    let action = node.text_at("action")?;
    let needs = node.get("needs").map_or(&[][..], Node::items);
    let retry = match node.get("retry") {
        Some(node) => retry(node)?,
        None => Retry::default(),
    };
    Some(Step {
        name: entry.key.as_str().into(),
        scope: Scope::ALL
            .into_iter()
            .find(|known| known.as_str() == scope)?,
        action: Action::ALL
            .into_iter()
            .find(|known| known.as_str() == action)?,
        store: node.text_at("store").map(Into::into),
        needs: needs
            .iter()
            .filter_map(Node::text)
            .map(Into::into)
            .collect(),
        pool: node.text_at("pool").map(Into::into),
        timeout: node.text_at("timeout").and_then(duration),
        retry,
        when: node.text_at("when").map(str::to_owned),
        expect: node.text_at("expect").and_then(duration),
        with: node.get("with").map(Node::to_json_map).unwrap_or_default(),
    })
}

fn retry(node: &Node) -> Option<Retry> {
    let mut retry = Retry::default();
    if let Some(attempts) = node.get("attempts") {
        retry.attempts = count(attempts)?;
    }
    if let Some(text) = node.text_at("backoff") {
        (retry.min, retry.max) = backoff(text)?;
    }
    Some(retry)
}

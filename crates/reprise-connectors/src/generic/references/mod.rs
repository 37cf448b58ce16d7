//! `check.references`: what one store's slice of a site refers to is there in
//! another's, and nothing else is.
//!
//! Both slices are listed by the stores' own connectors, which write nothing.
//! A listing that could not be read to its end proves nothing: the check is
//! unknown then, never passed.

mod compare;
mod evidence;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use reprise_model::{
    Action, Check, Fault, FaultKind, Orphans, Outcome, References, ShardId, Side, StoreId, Verdict,
    Volume,
};
use reprise_ports::{
    Call, CallSite, Connector, Context, Inspect, Inspection, Item, Listing, Probe,
};
use serde_json::{Value, json};

use self::compare::{Comparison, Differences};

pub struct ReferencesConnector {
    stores: BTreeMap<StoreId, Arc<dyn Connector>>,
}

/// What the runner puts into the options of the call: the shards that hold
/// the site's slices.
const SHARDS: [&str; 2] = ["from_shard", "to_shard"];

struct Work<'a> {
    references: References,
    from: ShardId,
    to: ShardId,
    site: &'a CallSite,
    call: &'a Call,
    context: &'a dyn Context,
}

impl<'a> Work<'a> {
    fn of(call: &'a Call, context: &'a dyn Context) -> Result<Self, Fault> {
        let site = call.site.as_ref().ok_or_else(|| {
            Fault::permanent("check.references is about one site, and this task has none")
        })?;
        let references = References::read(&call.with)
            .map_err(|why| Fault::permanent(format!("what is compared by {}: {why}", call.task)))?;
        let [from, to] = SHARDS.map(|name| call.with.get(name).and_then(Value::as_str));
        let shard = |shard: Option<&str>, side: &Side| {
            shard.map(ShardId::from).ok_or_else(|| {
                let (store, site) = (&side.store, &site.id);
                Fault::permanent(format!("store {store} holds no slice of site {site}"))
            })
        };
        Ok(Self {
            from: shard(from, &references.from)?,
            to: shard(to, &references.to)?,
            references,
            site,
            call,
            context,
        })
    }

    fn listing(&self, side: &Side, shard: &ShardId) -> Listing {
        Listing {
            shard: shard.clone(),
            site: self.site.clone(),
            target_time: self.call.target_time,
            side: side.clone(),
        }
    }

    fn names(&self) -> [String; 2] {
        let References { from, to, .. } = &self.references;
        [
            evidence::name(from, &self.from),
            evidence::name(to, &self.to),
        ]
    }

    /// A listing that could not be read: unknown, and tried again where that helps.
    fn unread(&self, side: &Side, shard: &ShardId, fault: Fault) -> Fault {
        let name = evidence::name(side, shard);
        let [from, to] = self.names();
        let check = Check {
            name: "references".to_owned(),
            verdict: Verdict::Unknown,
            evidence: json!({ "from": from, "to": to, "unread": name, "why": fault.message }),
        };
        let kind = match fault.kind {
            FaultKind::Temporary | FaultKind::TimedOut | FaultKind::Cancelled => fault.kind,
            FaultKind::Permanent | FaultKind::Refused | FaultKind::Validation => {
                FaultKind::Validation
            }
        };
        let site = &self.site.id;
        Fault {
            kind,
            message: format!("site {site}: {name} cannot be listed: {}", fault.message),
            checks: vec![check],
            ..fault
        }
    }

    fn judge(&self, found: &Differences) -> Result<Outcome, Fault> {
        let orphans = match self.references.orphans {
            Orphans::Fail => found.orphans.count,
            Orphans::Allowed => 0,
        };
        let wrong = found.broken_links.count + found.differs.count + found.missing.count + orphans;
        let check = Check {
            name: "references".to_owned(),
            verdict: match wrong {
                0 if found.is_blind() => Verdict::Unknown,
                0 => Verdict::Pass,
                _ => Verdict::Fail,
            },
            evidence: evidence::of(&self.references, [&self.from, &self.to], found),
        };
        if check.verdict == Verdict::Pass {
            return Ok(Outcome {
                volume: Volume {
                    rows: found.from.items + found.to.items,
                    bytes: 0,
                },
                checks: vec![check],
                ..Outcome::default()
            });
        }
        let [from, to] = self.names();
        let site = &self.site.id;
        let mut fault = match check.verdict {
            Verdict::Unknown => Fault::new(
                FaultKind::Validation,
                format!(
                    "site {site}: nothing was compared: {from} and {to} have items, and none of \
                     the latter has a key"
                ),
            )
            .hint("see whether `key` names what its items have"),
            Verdict::Pass | Verdict::Fail => {
                let what = words(found, orphans > 0);
                let message = format!("site {site}: {from} and {to} do not agree: {what}");
                Fault::new(FaultKind::Validation, message)
            }
        };
        fault.checks = vec![check];
        Err(fault)
    }
}

/// `2 broken links (a/b.png, ...), 1 orphan (x)`
fn words(found: &Differences, orphans: bool) -> String {
    let keys = |found: &compare::Found<compare::Pair>| {
        let keys = found.samples.iter().map(|pair| pair.key.clone());
        (found.count, keys.collect::<Vec<_>>())
    };
    let plain = |found: &compare::Found<String>| (found.count, found.samples.clone());
    let mut all = vec![("broken links", plain(&found.broken_links))];
    if orphans {
        all.push(("orphans", plain(&found.orphans)));
    }
    all.push(("differ", keys(&found.differs)));
    all.push(("lack a value", keys(&found.missing)));
    let all = all.into_iter().filter(|(_, (count, _))| *count > 0);
    let words = all.map(|(what, (count, keys))| {
        let more = if count > 1 { ", ..." } else { "" };
        format!("{count} {what} ({}{more})", evidence::first(&keys))
    });
    words.collect::<Vec<_>>().join("; ")
}

impl ReferencesConnector {
    pub fn new(stores: BTreeMap<StoreId, Arc<dyn Connector>>) -> Self {
        Self { stores }
    }

    fn store(&self, side: &Side) -> Result<&Arc<dyn Connector>, Fault> {
        let store = self.stores.get(&side.store);
        store.ok_or_else(|| Fault::permanent(format!("the estate has no store `{}`", side.store)))
    }

    async fn examine(&self, work: &Work<'_>) -> Result<Outcome, Fault> {
        let References { from, to, .. } = &work.references;
        let mut comparison = Comparison::default();
        let mut too_much = false;
        let mut refers = |item: Item| {
            let flow = comparison.refers(item);
            too_much = flow.is_break();
            flow
        };
        let listing = work.listing(from, &work.from);
        let listed = match self.store(from) {
            Ok(store) => store.list(&listing, &mut refers, work.context).await,
            Err(fault) => Err(fault),
        };
        let listed = listed.and_then(|()| match too_much {
            true => Err(
                Fault::permanent("it has more items than are compared at once")
                    .hint("let its query leave out what nobody needs to compare"),
            ),
            false => Ok(()),
        });
        listed.map_err(|fault| work.unread(from, &work.from, fault))?;

        let mut is_referred_to = |item: Item| {
            comparison.is_referred_to(item);
            ControlFlow::Continue(())
        };
        let listing = work.listing(to, &work.to);
        let listed = match self.store(to) {
            Ok(store) => {
                store
                    .list(&listing, &mut is_referred_to, work.context)
                    .await
            }
            Err(fault) => Err(fault),
        };
        listed.map_err(|fault| work.unread(to, &work.to, fault))?;
        work.judge(&comparison.end())
    }
}

#[async_trait]
impl Connector for ReferencesConnector {
    fn offers(&self) -> &'static [Action] {
        &[Action::CheckReferences]
    }

    async fn inspect(&self, _inspect: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        let work = Work::of(call, context)?;
        tokio::select! {
            done = self.examine(&work) => done,
            () = context.cancelled().cancelled() => {
                let what = format!("{} was cancelled", call.task);
                Err(Fault::new(FaultKind::Cancelled, what))
            }
        }
    }

    /// To look again does no harm.
    async fn probe(
        &self,
        _call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        Ok(Probe::NotYet)
    }

    async fn close(&self) {}
}

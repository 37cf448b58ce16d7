//! The connector: hands each action to the part that does it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use reprise_model::{Action, End, Fault, FaultKind, Outcome, ShardId, Volume};
use reprise_ports::{
    Call, CallSite, Connector, Context, Inspect, Inspection, Item, Listing, Probe, Take,
};
use serde_json::Value;

use super::config::AppsConfig;
use super::listing::{App, Cache};
use super::requests::{Health, Requests};
use super::vendor::Vendor;
use super::{effects, inspect, slice};

/// One store of kind `http`: a vendor's ends, and the apps that sites had.
pub struct AppsConnector {
    config: AppsConfig,
    vendors: Mutex<BTreeMap<ShardId, Arc<Vendor>>>,
    listed: Cache,
}

impl AppsConnector {
    pub fn new(config: AppsConfig) -> Self {
        Self {
            config,
            vendors: Mutex::default(),
            listed: Cache::default(),
        }
    }

    /// The end of a shard; refused in a drill, which has none.
    fn vendor(&self, shard: &ShardId) -> Result<Arc<Vendor>, Fault> {
        let mut all = self.vendors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vendor) = all.get(shard) {
            return Ok(Arc::clone(vendor));
        }
        let vendor = Arc::new(Vendor::open(&self.config, shard)?);
        all.insert(shard.clone(), Arc::clone(&vendor));
        Ok(vendor)
    }

    /// Reads the listing of T and says how near to T it reaches; nothing is written.
    async fn recover(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        let listing = &self.config.listing;
        let listed = self.listed.read(listing, call.target_time).await?;
        let point = match &listed.point {
            Some(point) => Some(point.clone()),
            None => listing.point(call, context).await?,
        };
        Ok(Outcome {
            volume: Volume {
                rows: listed.apps() as u64,
                bytes: 0,
            },
            recovery_point: point,
            ..Outcome::default()
        })
    }

    async fn on_site(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        let (vendor, site, wanted) = self.slice(call).await?;
        let requests = Requests {
            config: &self.config,
            vendor: &vendor,
            site,
        };
        match call.action {
            Action::Restore => {
                effects::restore(&requests, &wanted, &call.idempotency_key, context).await
            }
            Action::Verify => slice::verify(&requests, &wanted).await,
            _ => Err(call.not_offered("http")),
        }
        .map_err(|fault| self.at_site(site, fault))
    }

    /// Every fault of a site's task names the site and the store.
    fn at_site(&self, site: &CallSite, mut fault: Fault) -> Fault {
        let lead = format!("site {}: ", site.id);
        let rest = fault.message.strip_prefix(&lead).unwrap_or(&fault.message);
        fault.message = format!("{lead}store {}: {rest}", self.config.store);
        fault
    }

    async fn slice<'a>(
        &self,
        call: &'a Call,
    ) -> Result<(Arc<Vendor>, &'a CallSite, BTreeMap<String, App>), Fault> {
        let task = &call.task;
        let missing = |what| Fault::permanent(format!("task `{task}` names no {what}"));
        let shard = call.shard.as_ref().ok_or_else(|| missing("shard"))?;
        let site = call.site.as_ref().ok_or_else(|| missing("site"))?;
        let vendor = self.vendor(shard)?;
        let listed = self
            .listed
            .read(&self.config.listing, call.target_time)
            .await?;
        Ok((vendor, site, listed.of(&site.id)))
    }

    /// At T what the listing says of each app; in live what the vendor says.
    async fn items(&self, listing: &Listing) -> Result<BTreeMap<String, App>, Fault> {
        let site = &listing.site;
        if listing.side.at == End::Target {
            let wanted = self.listed.read(&self.config.listing, listing.target_time);
            return Ok(wanted.await?.of(&site.id));
        }
        let vendor = self.vendor(&listing.shard)?;
        let requests = Requests {
            config: &self.config,
            vendor: &vendor,
            site,
        };
        let present = requests.list().await.map_err(Fault::from)?;
        let apps = present.into_iter().map(|(id, health)| {
            let state = match health {
                Health::Works => "ok".to_owned(),
                Health::Broken(state) => vendor.veiled(&state),
            };
            let app = [("id".to_owned(), id.clone()), ("state".to_owned(), state)];
            (id, App::from(app))
        });
        Ok(apps.collect())
    }

    async fn work(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        match call.action {
            Action::Recover => self.recover(call, context).await,
            Action::Restore | Action::Verify => self.on_site(call, context).await,
            _ => Err(call.not_offered("http")),
        }
    }
}

#[async_trait]
impl Connector for AppsConnector {
    fn offers(&self) -> &'static [Action] {
        &[Action::Recover, Action::Restore, Action::Verify]
    }

    async fn inspect(&self, inspect: &Inspect) -> Inspection {
        let mut findings = vec![inspect::listing(&self.config, &self.listed, inspect).await];
        let shards = &self.config.shards;
        let is_drill = shards
            .iter()
            .any(|shard| shard.id == inspect.shard && shard.live.is_none());
        if !is_drill {
            let vendor = self.vendor(&inspect.shard);
            let vendor = vendor.as_deref().map_err(Clone::clone);
            findings.push(inspect::connection(&self.config, vendor, inspect).await);
        }
        inspect::inspection(findings)
    }

    /// Can be cut off anywhere: see the protocol at the head of the folder.
    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        tokio::select! {
            done = self.work(call, context) => done,
            () = context.cancelled().cancelled() => {
                let what = format!("{} was cancelled", call.task);
                Err(Fault::new(FaultKind::Cancelled, what))
            }
        }
    }

    async fn probe(
        &self,
        call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        if call.action != Action::Restore {
            return Ok(Probe::NotYet);
        }
        let (vendor, site, wanted) = self.slice(call).await?;
        let requests = Requests {
            config: &self.config,
            vendor: &vendor,
            site,
        };
        let back = slice::is_back(&requests, &wanted).await;
        Ok(match back.map_err(|fault| self.at_site(site, fault))? {
            true => Probe::AsItShouldBe(Outcome {
                volume: Volume {
                    rows: wanted.len() as u64,
                    bytes: 0,
                },
                ..Outcome::default()
            }),
            false => Probe::NotYet,
        })
    }

    async fn list(
        &self,
        listing: &Listing,
        take: Take<'_>,
        _context: &dyn Context,
    ) -> Result<(), Fault> {
        let side = &listing.side;
        for app in self.items(listing).await?.into_values() {
            let fields = side.compare.iter().map(|name| app.get(name).cloned());
            let item = Item {
                key: app.get(&side.key).cloned(),
                fields: fields.collect(),
            };
            if take(item).is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn close(&self) {
        self.vendors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

//! What can be known before anything is asked for: the listing of T, and
//! whether the vendor answers and knows who asks.

use reprise_model::{Fault, Timestamp};
use reprise_ports::{Finding, Inspect, Inspection, Level};
use reqwest::Method;
use reqwest::header::HeaderMap;

use super::config::{AppsConfig, Listing};
use super::listing::Cache;
use super::vendor::{Asked, Vendor};

pub(super) async fn listing(config: &AppsConfig, cache: &Cache, inspect: &Inspect) -> Finding {
    let (level, message, hint) = match (&config.listing, inspect.target_time) {
        (Listing::Query { name, .. }, _) => (
            Level::Later,
            format!("the apps are known once {name} is recovered"),
            None,
        ),
        (Listing::File(_), None) => (
            Level::Later,
            "the apps depend on the target time".to_owned(),
            None,
        ),
        (Listing::File(_), Some(target)) => of_file(config, cache, target).await,
    };
    finding(config, inspect, "listing", level, message, hint)
}

async fn of_file(
    config: &AppsConfig,
    cache: &Cache,
    target: Timestamp,
) -> (Level, String, Option<String>) {
    match cache.read(&config.listing, target).await {
        Ok(listed) => {
            let (apps, sites) = (listed.apps(), listed.sites());
            (
                Level::Ok,
                format!("{apps} apps of {sites} sites are listed at {target}"),
                None,
            )
        }
        Err(fault) => (Level::Error, fault.message, fault.hint),
    }
}

/// Any answer to a request for the base address shows that the vendor is
/// there; with credentials, it must not be a refusal of them.
pub(super) async fn connection(
    config: &AppsConfig,
    vendor: Result<&Vendor, Fault>,
    inspect: &Inspect,
) -> Finding {
    let answer = match vendor {
        Ok(vendor) => greet(config, vendor).await,
        Err(fault) => Err(fault),
    };
    let (level, message, hint) = match answer {
        Ok(message) => (Level::Ok, message, None),
        Err(fault) => (Level::Error, fault.message, fault.hint),
    };
    finding(config, inspect, "connection", level, message, hint)
}

async fn greet(config: &AppsConfig, vendor: &Vendor) -> Result<String, Fault> {
    let asked = Asked {
        method: Method::GET,
        url: vendor.address("")?,
        headers: HeaderMap::new(),
        body: None,
    };
    let answer = vendor.ask(&asked, config.auth.as_ref()).await?;
    match answer.status.as_u16() {
        401 | 403 => Err(vendor.refusal("", &answer).fault),
        _ => Ok(format!("{} answers", vendor.shown)),
    }
}

fn finding(
    config: &AppsConfig,
    inspect: &Inspect,
    check: &str,
    level: Level,
    message: String,
    hint: Option<String>,
) -> Finding {
    Finding {
        check: check.to_owned(),
        level,
        store: config.store.clone(),
        shard: inspect.shard.clone(),
        message,
        hint,
    }
}

pub(super) fn inspection(findings: Vec<Finding>) -> Inspection {
    Inspection {
        findings,
        ..Inspection::default()
    }
}

//! Which apps a site had at T: rows of a file, or of a query on a recovered store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use reprise_model::{Action, Fault, RecoveryPoint, SiteId, Timestamp};
use reprise_ports::{Call, Context, Probe, SiteRow};
use serde_json::{Map, Value};

use super::config::Listing;
use super::place;

/// The attributes of one app, `id` among them.
pub(super) type App = BTreeMap<String, String>;

/// All sites' apps at one moment, by their ids.
#[derive(Debug, Default)]
pub(super) struct Listed {
    sites: BTreeMap<String, BTreeMap<String, App>>,
    /// Told only by rows that say since when and until when they hold.
    pub point: Option<RecoveryPoint>,
}

impl Listed {
    pub fn of(&self, site: &SiteId) -> BTreeMap<String, App> {
        self.sites.get(site.as_str()).cloned().unwrap_or_default()
    }

    pub fn sites(&self) -> usize {
        self.sites.len()
    }

    pub fn apps(&self) -> usize {
        self.sites.values().map(BTreeMap::len).sum()
    }
}

pub(super) async fn read(listing: &Listing, target: Timestamp) -> Result<Listed, Fault> {
    let (rows, place) = match listing {
        Listing::File(path) => (file(path).await?, path.display().to_string()),
        Listing::Query {
            store,
            name,
            shard,
            query,
        } => {
            let rows = store.list_sites(shard, target, query).await?;
            (rows, format!("the query on {name}"))
        }
    };
    at(rows, target).map_err(|why| Fault::permanent(format!("{place}: {why}")))
}

impl Listing {
    /// Rows of a store at T reach as far as the recovery that they were read
    /// from, which that store tells by itself.
    pub async fn point(
        &self,
        call: &Call,
        context: &dyn Context,
    ) -> Result<Option<RecoveryPoint>, Fault> {
        let Self::Query {
            store, name, shard, ..
        } = self
        else {
            return Ok(None);
        };
        let recovery = Call {
            action: Action::Recover,
            store: Some(name.clone()),
            shard: Some(shard.clone()),
            with: Map::new(),
            ..call.clone()
        };
        let Probe::AsItShouldBe(outcome) = store.probe(&recovery, None, context).await? else {
            return Ok(None);
        };
        Ok(outcome.recovery_point.map(|point| RecoveryPoint {
            basis: format!("the listing in {name}@{shard}: {}", point.basis),
            ..point
        }))
    }
}

async fn file(path: &Path) -> Result<Vec<SiteRow>, Fault> {
    let shown = path.display();
    let text = tokio::fs::read_to_string(path).await.map_err(|error| {
        Fault::permanent(format!("the listing {shown} cannot be read: {error}"))
    })?;
    let lines = path
        .extension()
        .is_some_and(|extension| extension == "jsonl");
    let rows = if lines { json_lines(&text) } else { csv(&text) };
    rows.map_err(|why| Fault::permanent(format!("{shown}: {why}")))
}

fn json_lines(text: &str) -> Result<Vec<SiteRow>, String> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let map: Map<String, Value> = serde_json::from_str(line)
                .map_err(|error| format!("line {}: {error}", number + 1))?;
            let pairs = map.into_iter();
            Ok(pairs
                .filter_map(|(name, value)| Some((name, place::text(&value)?)))
                .collect())
        })
        .collect()
}

fn csv(text: &str) -> Result<Vec<SiteRow>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let rows = reader.deserialize::<SiteRow>();
    rows.collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// Takes the rows that hold at T, and what they tell about how near to T they reach.
fn at(rows: Vec<SiteRow>, target: Timestamp) -> Result<Listed, String> {
    let mut listed = Listed::default();
    let mut times = Times::default();
    for (index, mut row) in rows.into_iter().enumerate() {
        let wrong = |what: String| format!("row {}: {what}", index + 1);
        let since = times.take(&mut row, "since", target).map_err(wrong)?;
        let until = times.take(&mut row, "until", target).map_err(wrong)?;
        let mut word = |name: &str| {
            let word = row.remove(name).filter(|word| !word.is_empty());
            word.ok_or_else(|| wrong(format!("there is no `{name}`")))
        };
        let (site, app) = (word("site")?, word("app")?);
        if since.is_some_and(|since| since > target) || until.is_some_and(|until| until <= target) {
            continue;
        }
        row.insert("id".to_owned(), app.clone());
        let apps = listed.sites.entry(site.clone()).or_default();
        if apps.insert(app.clone(), row).is_some() {
            return Err(wrong(format!(
                "app `{app}` of site `{site}` is listed twice"
            )));
        }
    }
    listed.point = times.point(target);
    Ok(listed)
}

/// The changes that the rows tell, around T.
#[derive(Default)]
struct Times {
    before: Option<Timestamp>,
    after: Option<Timestamp>,
}

fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

impl Times {
    fn take(
        &mut self,
        row: &mut SiteRow,
        name: &str,
        target: Timestamp,
    ) -> Result<Option<Timestamp>, String> {
        let Some(text) = row.remove(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let time: Timestamp = text.parse().map_err(|error| format!("`{name}`: {error}"))?;
        if time <= target {
            self.before = self.before.max(Some(time));
        } else if time <= now() {
            // What is only to come was written down before it happened.
            self.after = Some(self.after.map_or(time, |after| after.min(time)));
        }
        Ok(Some(time))
    }

    /// A change after T proves that the rows reach T; else they reach their last change.
    fn point(self, target: Timestamp) -> Option<RecoveryPoint> {
        let (point, basis) = match (self.before, self.after) {
            (_, Some(_)) => (target, "the listing goes on after the target time"),
            (Some(before), None) => (before, "the last change that the listing tells"),
            (None, None) => return None,
        };
        Some(RecoveryPoint {
            point,
            last_before: self.before,
            first_after: self.after,
            basis: basis.to_owned(),
        })
    }
}

/// Read once for each moment: every site of a run asks.
#[derive(Default)]
pub(super) struct Cache(tokio::sync::Mutex<BTreeMap<Timestamp, Arc<Listed>>>);

impl Cache {
    pub async fn read(&self, listing: &Listing, target: Timestamp) -> Result<Arc<Listed>, Fault> {
        let mut all = self.0.lock().await;
        if let Some(listed) = all.get(&target) {
            return Ok(Arc::clone(listed));
        }
        let listed = Arc::new(read(listing, target).await?);
        all.insert(target, Arc::clone(&listed));
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str, target: &str) -> Result<Listed, String> {
        at(csv(text).unwrap(), target.parse().unwrap())
    }

    const TIMES: &str = "site,app,plan,since,until\n\
        1,forms,gold,2026-01-01T00:00:00Z,2026-03-01T12:00:00Z\n\
        1,forms,free,2026-03-01T12:00:00Z,\n\
        1,crm,,,2026-02-01T00:00:00Z\n\
        2,crm,,,\n";

    #[test]
    fn rows_hold_from_since_until_before_until() {
        let plan = |target: &str| {
            let listed = listed(TIMES, target).unwrap();
            let apps = listed.of(&SiteId::from("1"));
            assert_eq!(listed.of(&SiteId::from("2"))["crm"]["id"], "crm");
            let ids: Vec<_> = apps.keys().cloned().collect();
            (
                ids.join(","),
                apps.get("forms").map(|app| app["plan"].clone()),
            )
        };
        let gold = Some("gold".to_owned());
        assert_eq!(
            plan("2026-01-31T00:00:00Z"),
            ("crm,forms".to_owned(), gold.clone())
        );
        assert_eq!(
            plan("2026-03-01T11:59:59.999999Z"),
            ("forms".to_owned(), gold)
        );
        assert_eq!(
            plan("2026-03-01T12:00:00Z"),
            ("forms".to_owned(), Some("free".to_owned()))
        );
        assert_eq!(plan("2025-01-01T00:00:00Z"), ("crm".to_owned(), None));
    }

    #[test]
    fn the_point_is_what_the_rows_prove() {
        let point = |target: &str| {
            listed(TIMES, target)
                .unwrap()
                .point
                .unwrap()
                .point
                .to_string()
        };
        assert_eq!(point("2026-02-10T00:00:00Z"), "2026-02-10T00:00:00Z");
        assert_eq!(point("2026-04-01T00:00:00Z"), "2026-03-01T12:00:00Z");
        let quiet = listed("site,app\n1,crm\n", "2026-04-01T00:00:00Z").unwrap();
        assert!(quiet.point.is_none());
    }

    #[test]
    fn a_bad_listing_is_told_by_row() {
        let why = |text: &str| listed(text, "2026-04-01T00:00:00Z").unwrap_err();
        assert_eq!(
            why("site,app\n1,crm\n1,crm\n"),
            "row 2: app `crm` of site `1` is listed twice"
        );
        assert_eq!(why("site,app\n,crm\n"), "row 1: there is no `site`");
        assert!(why("site,app,since\n1,crm,today\n").starts_with("row 1: `since`: "));
    }
}

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reprise_connectors::events::{Audited, Range, audit};
use reprise_model::{Exit, Fault, ShardId, SiteId, Store, StoreId, Timestamp};
use reprise_plan::Selection;
use reprise_report::format;
use reprise_runner::recorded;
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::{inputs, state};

/// Look at what was recorded, and at nothing else
#[derive(Args, Debug)]
#[command(after_help = "Example:
  reprise audit events -e estate.yaml --store activity")]
pub struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Events(AuditEvents),
}

impl Audit {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        match self.what {
            What::Events(command) => command.perform(global, printer).await,
        }
    }
}

/// Whether recorded events are complete: gaps, silences, conflicts, broken pieces
///
/// Reads the segments of a store of kind `events`, and of their second copy,
/// and touches neither the target nor any other store. Each window says which
/// site and stream, from where to where, how many events, and whether the
/// second copy filled it.
/// Exit code 0: complete. 6: something is missing. 2, 3: the command or a file
/// is wrong. 8: the segments cannot be read.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise audit events -e estate.yaml --store activity
  reprise audit events -e estate.yaml --store activity --at 2026-03-01T12:00:00Z --sites 17,23 --json")]
pub struct AuditEvents {
    /// The estate: stores, shards, backups, live ends
    #[arg(short, long, value_name = "FILE")]
    estate: PathBuf,
    /// The store of kind `events`
    #[arg(long, value_name = "STORE")]
    store: String,
    /// The sites: @FILE, ID,ID,..., or all that were recorded
    #[arg(long, value_name = "SEL", default_value = "all")]
    sites: String,
    /// Show windows that reach beyond this moment only
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// The moment up to which events must be complete; default: the archive's end
    #[arg(long, value_name = "T")]
    at: Option<String>,
}

#[derive(Serialize)]
struct Told {
    version: u32,
    estate: String,
    store: StoreId,
    from: Option<Timestamp>,
    target_time: Option<Timestamp>,
    complete: bool,
    /// Sites that were asked for by name, and of which no shard has an event.
    absent: Vec<SiteId>,
    shards: Vec<ShardTold>,
}

#[derive(Serialize)]
struct ShardTold {
    shard: ShardId,
    complete: bool,
    #[serde(flatten)]
    audited: Audited,
}

impl AuditEvents {
    async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let now = inputs::now();
        let moment = |option, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| inputs::target_time(option, text, now))
                .transpose()
        };
        let target_time = moment("--at", &self.at)?;
        let range = Range {
            from: moment("--from", &self.from)?,
            sites: sites(&self.sites)?,
        };
        let file = inputs::estate(&self.estate)?;
        let store = StoreId::new(self.store.as_str());
        let known = file.estate.store(&store);
        let known = known.ok_or_else(|| unknown(&self.store, &file.estate.stores))?;
        let (events, shards) = recorded(&file.estate, known).ok_or_else(|| {
            let kind = known.kind.as_str();
            Failure::usage(format!(
                "store `{store}` is of kind `{kind}`, which records no events"
            ))
        })?;
        let scratch = state::scratch_root(&global.state);
        let mut told = Vec::new();
        for (shard, archive) in shards {
            let (store, events, range) = (store.clone(), events.clone(), range.clone());
            let (id, scratch) = (shard.id.clone(), scratch.clone());
            let looking = tokio::task::spawn_blocking(move || {
                audit(
                    &store,
                    &id,
                    &archive,
                    &events,
                    target_time,
                    &range,
                    &scratch,
                )
            });
            let looked = looking
                .await
                .map_err(|_| Failure::internal("the audit ended in a panic"))?;
            let audited = looked.map_err(|fault| unreadable(&known.id, &shard.id, fault))?;
            told.push(ShardTold {
                shard: shard.id.clone(),
                complete: audited.is_complete(),
                audited,
            });
        }
        let absent = match &range.sites {
            Some(ids)
                if events
                    .streams
                    .as_ref()
                    .is_none_or(|known| !known.is_empty()) =>
            {
                nowhere(ids, &told)
            }
            Some(_) | None => Vec::new(),
        };
        let told = Told {
            version: 1,
            estate: file.estate.name.clone(),
            store,
            from: range.from,
            target_time,
            complete: absent.is_empty() && told.iter().all(|shard| shard.complete),
            absent,
            shards: told,
        };
        printer.data(&told, || text(&told));
        Ok(if told.complete {
            Exit::Success
        } else {
            Exit::Unvalidated
        })
    }
}

fn nowhere(ids: &[SiteId], shards: &[ShardTold]) -> Vec<SiteId> {
    let is_nowhere = |id: &&SiteId| shards.iter().all(|shard| shard.audited.absent.contains(id));
    ids.iter().filter(is_nowhere).cloned().collect()
}

fn sites(text: &str) -> Result<Option<Vec<SiteId>>, Failure> {
    match inputs::selection(text)? {
        Selection::All => Ok(None),
        Selection::Ids(ids) => Ok(Some(ids.into_iter().map(|id| id.id).collect())),
        Selection::Where(_) => Err(Failure::usage(
            "--sites: what was recorded has ids and no attributes",
        )
        .hint("name the ids, or a file of them with @FILE")),
    }
}

fn unknown(name: &str, stores: &[Store]) -> Failure {
    let known: Vec<&str> = stores.iter().map(|store| store.id.as_str()).collect();
    Failure::usage(format!("--store: the estate has no store `{name}`"))
        .fact("stores", known.join(", "))
}

fn unreadable(store: &StoreId, shard: &ShardId, fault: Fault) -> Failure {
    let failure = Failure::refused(format!("{store}/{shard}: {}", fault.message));
    match fault.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn text(told: &Told) -> String {
    let mut text = String::new();
    for ShardTold { shard, audited, .. } in &told.shards {
        text.push_str(&format!(
            "{}@{shard}: {}, {}, {}",
            told.store,
            format::plural(audited.sites, "site"),
            format::plural(audited.streams, "stream"),
            format::plural(audited.events, "event"),
        ));
        if let Some(last) = audited.last_before {
            text.push_str(&format!(", the last at {last}"));
        }
        text.push('\n');
        if let (Some(target), None) = (told.target_time, audited.first_after) {
            text.push_str(&format!(
                "  note     the record does not go on after {target}: nothing shows that it is whole up to then\n"
            ));
        }
        for window in &audited.windows {
            let mark = if window.healed { "healed " } else { "missing" };
            let words = window.words();
            text.push_str(&format!("  {mark}  site {}: {words}\n", window.site));
        }
        if audited.sites == 0 {
            for damage in &audited.damages {
                let (segment, line) = (damage.segment.display(), damage.line);
                text.push_str(&format!(
                    "  missing  {segment} line {line}: {}\n",
                    damage.what
                ));
            }
        }
    }
    for site in &told.absent {
        text.push_str(&format!(
            "  missing  site {site}: the record has no event of it\n"
        ));
    }
    let open: usize = told.shards.iter().map(|shard| shard.audited.open()).sum();
    text.push_str(&match (told.complete, open) {
        (true, _) => format!("{}: complete\n", told.store),
        (false, 0) => format!("{}: not complete\n", told.store),
        (false, open) => format!(
            "{}: not complete, {}\n",
            told.store,
            format::plural(open as u64, "window")
        ),
    });
    text
}

//! The neighbours on the layers: one writer for each, and the diary.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::diary::{self, Diary};
use super::{Items, Layer};
use crate::Error;
use crate::layout::Layout;
use crate::load::{Tally, announced};
use crate::manifest::Manifest;

/// Between two changes of one layer.
const PERIOD: Duration = Duration::from_millis(400);

/// Starts a writer for each layer; each runs until `stop` turns true or the time is over.
pub fn writers(
    layout: &Layout,
    manifest: &Manifest,
    seed: u64,
    time: Option<Duration>,
    stop: &watch::Receiver<bool>,
    writers: &mut JoinSet<Result<Tally, Error>>,
) -> Result<(), Error> {
    let diary = Arc::new(Diary::open(layout)?);
    for (number, layer) in super::of(layout, manifest)?.into_iter().enumerate() {
        let writer = Writer {
            known: diary::read(layout, layer.name())?,
            layer,
            layout: layout.clone(),
            diary: Arc::clone(&diary),
        };
        let dice = StdRng::seed_from_u64(seed * 1000 + 500 + number as u64);
        writers.spawn(writer.run(dice, time, stop.clone()));
    }
    Ok(())
}

struct Writer {
    layer: Box<dyn Layer>,
    layout: Layout,
    diary: Arc<Diary>,
    /// What each site has, as this writer left it.
    known: BTreeMap<i64, Items>,
}

impl Writer {
    async fn run(
        mut self,
        mut dice: StdRng,
        time: Option<Duration>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Tally, Error> {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A year stands for "until interrupted".
        let end = Instant::now() + time.unwrap_or(Duration::from_secs(365 * 86_400));
        let mut tally = Tally::default();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = sleep_until(end) => return Ok(tally),
                _ = stop.wait_for(|stop| *stop) => return Ok(tally),
            }
            tally += self.step(&mut dice).await?;
        }
    }

    async fn step(&mut self, dice: &mut StdRng) -> Result<Tally, Error> {
        let gone = announced(&self.layout);
        let sites: Vec<i64> = self
            .known
            .keys()
            .copied()
            .filter(|site| !gone.contains(site))
            .collect();
        if sites.is_empty() {
            return Ok(Tally::default());
        }
        let site = sites[dice.random_range(0..sites.len())];
        self.layer.change(site, dice.random::<u32>().into()).await?;
        let now = self.layer.items(site).await?;
        let before = self.known.entry(site).or_default();
        self.diary.note(self.layer.name(), site, before, &now)?;
        let changed = *before != now;
        *before = now;
        Ok(Tally {
            committed: changed.into(),
            without_effect: (!changed).into(),
        })
    }
}

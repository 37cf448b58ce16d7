//! A forecast for people.

use reprise_report::format;
use reprise_sim::{Binding, Change, Gain, PoolForecast, Share, Spread};

use super::{Document, Durations};

/// Sites and causes that are listed.
const LISTED: usize = 5;

impl Document {
    pub fn text(&self) -> String {
        let forecast = &self.forecast;
        let mut lines = vec![format!(
            "{}, {} in {}: {}",
            format::plural(self.sites_planned as u64, "site"),
            format::plural(self.tasks as u64, "task"),
            format::plural(forecast.waves.len() as u64, "wave"),
            format::plural(forecast.rehearsals.into(), "rehearsal"),
        )];
        lines.extend(self.recovery());
        lines.push(String::new());
        lines.extend(self.when());
        lines.push("\nwhere the time goes".to_owned());
        lines.extend(forecast.bound_by.iter().map(|share| self.share(share)));
        if !forecast.pools.is_empty() {
            lines.push(format!(
                "\n{:<14} {:>7} {:>9} {:>6}  a task waits",
                "pool", "slots", "tasks", "busy"
            ));
            lines.extend(forecast.pools.iter().map(pool));
        }
        if !forecast.changes.is_empty() {
            lines.push("\nwhat would help".to_owned());
            lines.extend(forecast.changes.iter().map(|gain| self.gain(gain)));
        }
        lines.push(format!("\n{}", self.durations.text()));
        lines.push(
            "nothing fails, people answer gates at once, and more tasks side by side take no longer"
                .to_owned(),
        );
        lines.join("\n")
    }

    fn recovery(&self) -> Vec<String> {
        let recovery = &self.forecast.recovery;
        let mut lines = vec![row("recovery time", &format::seconds(recovery.median))];
        for band in &recovery.bands {
            lines.push(row(
                &format!("  {} % of them", band.percent),
                &between(band.from, band.to),
            ));
        }
        if let Some(since) = self.since_incident_seconds {
            lines.push(row(
                "from the incident",
                &format!(
                    "{} ({} have passed)",
                    format::seconds(recovery.median + since),
                    format::seconds(since)
                ),
            ));
        }
        if let (Some(rto), Some(within)) = (self.rto_seconds, self.forecast.within_rto) {
            lines.push(row(
                "objective",
                &format!(
                    "{}, met by {:.0} % of them",
                    format::seconds(rto),
                    within * 100.0
                ),
            ));
        }
        lines
    }

    /// Waves, and the sites that come last.
    fn when(&self) -> Vec<String> {
        let forecast = &self.forecast;
        let mut lines = vec![format!(
            "{:<24} {:>9}  {:>9}  90 %",
            "handed over", "sites", "after"
        )];
        for wave in &forecast.waves {
            let name = format!("wave {}", wave.wave + 1);
            let sites = format::count(wave.sites.into());
            lines.push(moment(&name, &sites, &wave.done));
        }
        let mut sites: Vec<_> = forecast.sites.iter().collect();
        sites.sort_by(|a, b| b.handover.median.total_cmp(&a.handover.median));
        let listed = sites.iter().take(LISTED);
        lines.extend(listed.map(|site| moment(site.site.as_str(), "", &site.handover)));
        if sites.len() > LISTED {
            let others = format::count((sites.len() - LISTED) as u64);
            lines.push(format!("  ... and {others} earlier; `--json` has them all"));
        }
        lines
    }

    fn share(&self, share: &Share) -> String {
        let why = match &share.binding {
            Binding::Path => "work that waits for nothing but what it needs".to_owned(),
            Binding::Waves => "waiting for earlier waves".to_owned(),
            Binding::Pool { pool } => format!("waiting for slots of pool {pool}"),
            Binding::NoPool => "waiting for slots among tasks without a pool".to_owned(),
            Binding::Rate { pool } => format!("waiting for the rate of pool {pool}"),
            Binding::Slots => "waiting for slots of the run".to_owned(),
        };
        format!(
            "  {:>4}  {:<10} {why}",
            percent(share.share),
            format::seconds(share.seconds)
        )
    }

    fn gain(&self, gain: &Gain) -> String {
        let what = match &gain.change {
            Change::Pool { pool, slots } => format!("pool {pool}: {} -> {slots}", slots / 2),
            Change::Rate {
                pool,
                rate_per_second,
            } => format!(
                "rate of pool {pool}: {}/s -> {rate_per_second}/s",
                rate_per_second / 2.0
            ),
            Change::Slots { slots } => format!("slots: {} -> {slots}", slots / 2),
            Change::NoWaves => "one wave".to_owned(),
        };
        match gain.share >= 0.005 {
            true => format!(
                "  {:<36} saves {} ({})",
                what,
                format::seconds(gain.seconds),
                percent(gain.share)
            ),
            false => format!("  {what:<36} saves nothing"),
        }
    }
}

impl Durations {
    fn text(&self) -> String {
        let tasks = self.learned + self.said + self.guessed;
        let runs = format::plural(self.runs.into(), "earlier run");
        let of = |count: u32, from: &str| {
            let share = percent(f64::from(count) / f64::from(tasks.max(1)));
            (count > 0).then(|| format!("{share} {from}"))
        };
        let sources = [
            of(self.learned, &format!("learned from {runs}")),
            of(self.said, "from the runbook"),
            of(self.guessed, "guessed"),
        ];
        let sources: Vec<_> = sources.into_iter().flatten().collect();
        format!("durations: {}", sources.join(", "))
    }
}

fn row(name: &str, value: &str) -> String {
    format!("  {name:<18}  {value}")
}

fn moment(name: &str, sites: &str, spread: &Spread) -> String {
    let band = spread.band(90);
    format!(
        "  {name:<22} {sites:>9}  {:>9}  {}",
        format::seconds(spread.median),
        between(band.from, band.to)
    )
}

fn between(from: f64, to: f64) -> String {
    format!("{} to {}", format::seconds(from), format::seconds(to))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn pool(pool: &PoolForecast) -> String {
    format!(
        "{:<14} {:>7} {:>9} {:>6}  {}",
        pool.pool,
        format::count(pool.slots.into()),
        format::count(pool.tasks.into()),
        percent(pool.busy),
        format::seconds(pool.waited)
    )
}

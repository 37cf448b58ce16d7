//! One run on trial: coordinators that come and go over one journal, in a
//! world of faults, and then a quiet phase in which it must come to its end.

mod coordinator;
mod coverage;
mod faults;
mod operator;
mod pipeline;
mod seed;
mod takeover;
mod timeline;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use reprise_chain::Tape;
use reprise_engine::Input;
use reprise_model::{Entry, Plan, RunEnd, RunId, Timestamp};

pub use coverage::{Coverage, Mishap};
pub use faults::{AtCrash, Faults};
pub use seed::try_out;

use crate::checks::{Books, SiteEnds, Violation};
use coordinator::Coordinator;
use timeline::{CoordinatorId, Happening};
use world::World;

/// What a run came to.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// The journal as it is stored, and its entries.
    pub tape: Tape,
    pub journal: Vec<Entry>,
    pub sites: SiteEnds,
    pub coverage: Coverage,
    /// Coordinators that owned the run.
    pub owners: u64,
    pub inputs: u64,
    /// Places at which a crash could have come.
    pub boundaries: u64,
    /// Virtual seconds from the beginning to the end.
    pub seconds: f64,
}

/// A bound on inputs to one run: far above what convergence takes.
const INPUTS_AT_MOST: u64 = 1_000_000;

/// After the last fault, what is left of a run of this size takes minutes:
/// time-outs, retries and people included, an hour or two.
const QUIET_AT_MOST: Duration = Duration::from_secs(4 * 3600);

/// Faults end after this much virtual time, however few inputs there were.
const FAULTS_AT_MOST: Duration = Duration::from_secs(12 * 3600);

/// Runs the plan to its end, under faults first and then without.
pub fn simulate(plan: Arc<Plan>, seed: u64, faults: Faults) -> Result<Report, Violation> {
    let begun = Timestamp::from_micros(1_800_000_000_000_000);
    let rng = StdRng::seed_from_u64(seed);
    let mut trial = Trial {
        world: World::new(plan.clone(), rng, faults, begun),
        books: Books::new(plan.clone()),
        tape: Tape::new(RunId::from(format!("run-{seed}"))),
        plan,
        seed,
        begun,
        coordinators: BTreeMap::new(),
        owner: None,
        offset: 0,
        inputs: 0,
        boundaries: 0,
        quiet_since: None,
        sites: None,
    };
    trial
        .world
        .timeline
        .after(Duration::ZERO, Happening::Resume);
    trial
        .world
        .timeline
        .after(Duration::from_secs(5), Happening::Operator);
    trial.run()
}

/// The whole of a simulated run.
struct Trial {
    plan: Arc<Plan>,
    seed: u64,
    begun: Timestamp,
    world: World,
    books: Books,
    tape: Tape,
    /// Alive, by epoch: the owner, and those that lost their claim.
    coordinators: BTreeMap<CoordinatorId, Coordinator>,
    owner: Option<CoordinatorId>,
    /// Of the clock of the newest owner.
    offset: i64,
    inputs: u64,
    boundaries: u64,
    quiet_since: Option<Timestamp>,
    /// There once the run is at its end.
    sites: Option<SiteEnds>,
}

impl Trial {
    fn run(mut self) -> Result<Report, Violation> {
        loop {
            let happening = self.world.timeline.pop().ok_or(Violation::Stuck)?;
            self.happen(happening)?;
            if let Some(violation) = self.world.broken.take() {
                return Err(violation);
            }
            if let Some(sites) = self.sites {
                let journal = self.tape.read_all();
                return Ok(Report {
                    journal: journal.map_err(|error| Violation::Journal(error.to_string()))?,
                    seconds: self.world.timeline.now.seconds_since(self.begun),
                    sites,
                    coverage: self.world.coverage,
                    owners: self.tape.tip.epoch.0,
                    tape: self.tape,
                    inputs: self.inputs,
                    boundaries: self.boundaries,
                });
            }
            self.calm_down()?;
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Step { attempt, turn } => self.world.stepped(attempt, turn),
            Happening::Settle { attempt } => self.world.settled(attempt),
            Happening::Heard { by, input } => self.heard(by, input),
            Happening::Landing { of } => match self.thawed(of) {
                Some(at) => self.postpone(at, Happening::Landing { of }),
                None => self.land(of),
            },
            Happening::Alarm { of, at } => match self.thawed(of) {
                Some(thaw) => self.postpone(thaw, Happening::Alarm { of, at }),
                None => self.ring(of, at),
            },
            Happening::Inbox { of } => match self.thawed(of) {
                Some(at) => self.postpone(at, Happening::Inbox { of }),
                None => self.look_into_inbox(of),
            },
            Happening::Operator => self.operate(),
            Happening::Resume => self.resume(),
        }
    }

    /// When a frozen coordinator will move again.
    fn thawed(&self, of: CoordinatorId) -> Option<Timestamp> {
        let until = self.coordinators.get(&of)?.frozen_until?;
        (until > self.world.timeline.now).then_some(until)
    }

    fn postpone(&mut self, at: Timestamp, happening: Happening) -> Result<(), Violation> {
        self.world.timeline.at(at, happening);
        Ok(())
    }

    fn heard(&mut self, by: CoordinatorId, input: Input) -> Result<(), Violation> {
        if let Some(at) = self.thawed(by) {
            return self.postpone(at, Happening::Heard { by, input });
        }
        if self.coordinators.contains_key(&by) {
            return self.handle(by, input);
        }
        // Told to whoever is there now, if anybody: it is of no use to them.
        self.world.coverage.count(Mishap::Stale);
        match self.owner {
            Some(owner) if self.thawed(owner).is_none() => self.handle(owner, input),
            Some(_) | None => Ok(()),
        }
    }

    fn ring(&mut self, of: CoordinatorId, at: Timestamp) -> Result<(), Violation> {
        match self.coordinators.get_mut(&of) {
            Some(coordinator) if coordinator.alarm == Some(at) => {
                coordinator.alarm = None;
                self.handle(of, Input::Tick)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The quiet phase begins, and must come to an end.
    fn calm_down(&mut self) -> Result<(), Violation> {
        let now = self.world.timeline.now;
        match self.quiet_since {
            None => {
                let late = now >= self.begun.saturating_add(FAULTS_AT_MOST);
                if late || self.inputs > self.world.faults.until {
                    self.quiet_since = Some(now);
                    self.world.faults = self.world.faults.quiet();
                }
                Ok(())
            }
            Some(since) if now > since.saturating_add(QUIET_AT_MOST) => {
                Err(Violation::NoConvergence(now.seconds_since(since)))
            }
            Some(_) => Ok(()),
        }
    }

    /// The run says that it is finished: look at it from all sides.
    fn finish(&mut self, fold: &reprise_engine::Fold) -> Result<(), Violation> {
        if self.books.stopped != Some(RunEnd::Finished) {
            return Err(Violation::OutOfPlace {
                event: "stop",
                task: String::new(),
            });
        }
        let applied = &self.world.applied;
        self.sites = Some(crate::checks::site_ends(
            &self.plan,
            &self.books,
            fold,
            applied,
        )?);
        Ok(())
    }
}

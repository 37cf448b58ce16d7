//! Coordinators that die, give up, lose their claim; and those that come after.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use reprise_chain::{Tape, compose};
use reprise_engine::{Engine, Input, Options, Replay};
use reprise_model::{Epoch, Owner};
use reprise_ports::{Claim, JournalError};

use super::Trial;
use super::coordinator::Coordinator;
use super::coverage::Mishap;
use super::faults::AtCrash;
use super::timeline::{CoordinatorId, Happening};
use crate::checks::Violation;

const HOUR_MICROS: i64 = 3_600_000_000;

impl Trial {
    /// The process is gone, at once.
    pub fn crash(&mut self, by: CoordinatorId) -> Result<(), Violation> {
        self.world.coverage.count(Mishap::Crash);
        let coordinator = &self.coordinators[&by];
        match (&coordinator.writing, coordinator.superseded) {
            (Some(_), false) => self.crash_while_writing(by)?,
            (Some(_), true) => {}
            (None, _) => self.world.coverage.count(Mishap::CrashOfIdle),
        }
        self.give_up(by);
        Ok(())
    }

    fn crash_while_writing(&mut self, by: CoordinatorId) -> Result<(), Violation> {
        let drawn = match self.world.rng.random_range(0..5) {
            0 | 1 => AtCrash::Lost,
            2 | 3 => AtCrash::Kept,
            _ => AtCrash::Torn,
        };
        match self.world.faults.page_at_crash.unwrap_or(drawn) {
            AtCrash::Lost => self.world.coverage.count(Mishap::PageLost),
            AtCrash::Kept => {
                self.world.coverage.count(Mishap::PageKept);
                self.append(by)?
                    .map_err(|error| Violation::Journal(error.to_string()))?;
            }
            AtCrash::Torn => self.tear(by),
        }
        Ok(())
    }

    /// Part of the page is there, and the run's record has not moved.
    fn tear(&mut self, by: CoordinatorId) {
        let coordinator = &self.coordinators[&by];
        let entries = coordinator.writing.as_deref().unwrap_or_default();
        let page = compose(&self.tape.run, &coordinator.claim, entries, 0);
        let mut page = page.expect("entries follow each other");
        let keep = self.world.rng.random_range(0..=page.body.len());
        page.body.truncate(keep);
        self.tape.pages.push(Arc::new(page));
    }

    /// What it had under way is cut off, and somebody else may take the run.
    pub fn give_up(&mut self, by: CoordinatorId) {
        self.world.cut_off(by);
        self.coordinators.remove(&by);
        if self.owner == Some(by) {
            self.owner = None;
            self.resume_later();
        }
    }

    /// The lock is lost and the coordinator does not know: its session was
    /// cut by the server, or it was stopped for longer than that waited.
    pub fn lose_claim(&mut self, by: CoordinatorId) {
        self.world.coverage.count(Mishap::Rival);
        self.world.unattended.insert(by);
        let frozen = self.world.rng.random_bool(0.5);
        let now = self.world.timeline.now;
        let wait = self.world.draw(0.5..200.0);
        let coordinator = self.coordinators.get_mut(&by).expect("it is the owner");
        coordinator.superseded = true;
        if frozen {
            self.world.coverage.count(Mishap::Frozen);
            coordinator.frozen_until = Some(now.saturating_add(wait));
        }
        self.owner = None;
        // At times at once, with a page of the old owner on its way.
        let longest = [10, 5_000][self.world.rng.random_range(0..2)];
        let wait = Duration::from_millis(self.world.rng.random_range(0..longest));
        self.world.timeline.after(wait, Happening::Resume);
    }

    /// A new coordinator claims the run, reads its journal, and begins.
    pub fn resume(&mut self) -> Result<(), Violation> {
        if self.owner.is_some() {
            return Ok(());
        }
        self.damage_is_noticed()?;
        self.set_clock();
        let claim = self.tape.take_over();
        let id = claim.epoch.0;
        let inbox_at = self.tape.inbox.len();
        let coordinator = self.born(claim)?;
        let inbox = self.tape.inbox(coordinator.last_command);
        let owner = Owner {
            epoch: Epoch(id),
            host: "sim".to_owned(),
            pid: 1,
            version: "0".to_owned(),
        };
        self.coordinators.insert(id, coordinator);
        self.owner = Some(id);
        let coordinator = self.coordinators.get_mut(&id).expect("it was born");
        coordinator.last_command = inbox_at as u64;
        self.handle(id, Input::Begin { owner, inbox })
    }

    fn born(&mut self, mut claim: Claim) -> Result<Coordinator, Violation> {
        let options = Options {
            seed: self.seed,
            wait_for_people: self.world.faults.people,
            reach: self.world.faults.reach,
        };
        let journal = |error: JournalError| Violation::Journal(error.to_string());
        let entries = self.tape.read_all().map_err(journal)?;
        // A torn tail is read past, and cut by the owner once all before it
        // has been verified.
        for _ in 0..self.tape.mend() {
            self.world.coverage.count(Mishap::PageTorn);
        }
        let mut replay = Replay::begin(self.plan.clone(), options);
        for entry in &entries {
            replay
                .feed(entry)
                .map_err(|error| Violation::Replay(error.to_string()))?;
        }
        let engine = match replay.is_empty() {
            true => self.created(replay, &mut claim)?,
            false => replay
                .finish()
                .map_err(|error| Violation::Replay(error.to_string()))?,
        };
        crate::checks::compare(&self.plan, &self.books, engine.fold())?;
        Ok(Coordinator::new(engine, claim, self.offset))
    }

    /// The first entry is durable before anything else.
    fn created(&mut self, replay: Replay, claim: &mut Claim) -> Result<Engine, Violation> {
        let now = self.world.timeline.now;
        let local = reprise_model::Timestamp::from_micros(now.as_micros() + self.offset);
        let (engine, entry) = replay.create(local);
        let first = [entry];
        self.tape
            .append(claim, &first)
            .map_err(|error| Violation::Journal(error.to_string()))?;
        self.read(&first, claim.epoch.0, self.offset)?;
        Ok(engine)
    }

    /// The new owner reads its clock once, and that may have been set since.
    fn set_clock(&mut self) {
        let clock = self.world.faults.clock;
        if !self.world.chance(clock) {
            return;
        }
        let earlier = self.offset;
        let three_days = -72 * HOUR_MICROS..72 * HOUR_MICROS;
        self.offset = self.world.rng.random_range(three_days);
        self.world.coverage.count(match self.offset < earlier {
            true => Mishap::ClockBack,
            false => Mishap::ClockForward,
        });
    }

    /// A change to what was acknowledged is an error with its place.
    fn damage_is_noticed(&mut self) -> Result<(), Violation> {
        let next = self.tape.tip.next;
        let pages = self
            .tape
            .pages
            .iter()
            .filter(|page| page.first < next)
            .count();
        if pages == 0 || !self.world.chance(self.world.faults.write * 4.0) {
            return Ok(());
        }
        let place = self.world.rng.random_range(0..pages);
        let mut damaged: Tape = self.tape.clone();
        let page = Arc::make_mut(&mut damaged.pages[place]);
        let first = page.first;
        let keep = self.world.rng.random_range(0..page.body.len());
        let what = match self.world.rng.random_range(0..3) {
            0 => {
                page.body.truncate(keep);
                "cut short"
            }
            1 => {
                page.epoch = Epoch(0);
                page.body.insert(keep, ' ');
                "with one more byte"
            }
            _ => {
                damaged.pages.remove(place);
                "missing"
            }
        };
        match damaged.read_all() {
            Err(JournalError::Corrupt { seq, .. }) if seq == first => {
                self.world.coverage.count(Mishap::Damage);
                Ok(())
            }
            Ok(_) => Err(Violation::DamageUnnoticed(format!(
                "entry {} {what}",
                first.0
            ))),
            Err(error) => Err(Violation::Journal(format!(
                "entry {} {what}, and what is said is: {error}",
                first.0
            ))),
        }
    }
}

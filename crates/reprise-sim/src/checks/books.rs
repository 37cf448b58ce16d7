//! The books: what the durable entries mean, by rules written down a second
//! time, in the plainest way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reprise_model::{
    Action, AttemptEnd, AttemptId, Command, Entry, Event, FaultKind, Plan, RunEnd, Scope, TaskIx,
    Timestamp,
};

use super::Violation;

/// How a task has ended, until an operator has it tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    Done,
    Satisfied,
    Failed,
    Skipped,
}

#[derive(Clone, Copy)]
struct Flight {
    attempt: AttemptId,
    probing: bool,
}

#[derive(Clone, Default)]
struct Note {
    settled: Option<Settled>,
    flight: Option<Flight>,
    /// Its work may have been done: nobody knows before a probe.
    doubt: bool,
    /// It has been under way once.
    begun: bool,
    gate_open: bool,
    /// Not before, by the clock of the owner that said so.
    again: Option<(Timestamp, i64)>,
    /// The failure for which it was skipped.
    because: Option<TaskIx>,
}

pub(crate) struct Books {
    plan: Arc<Plan>,
    notes: Vec<Note>,
    open_waves: u32,
    halted: bool,
    halt_lifted: bool,
    pub paused: bool,
    pub cancelling: bool,
    pub stopped: Option<RunEnd>,
    pub last_command: u64,
    /// An operator has asked for another try: what was skipped may come back.
    retried: bool,
    /// Attempts of which the journal says that they begin, with their owner.
    begun: BTreeMap<AttemptId, (u64, bool)>,
    performed: BTreeSet<AttemptId>,
}

impl Books {
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            notes: vec![Note::default(); plan.tasks.len()],
            plan,
            open_waves: 0,
            halted: false,
            halt_lifted: false,
            paused: false,
            cancelling: false,
            stopped: None,
            last_command: 0,
            retried: false,
            begun: BTreeMap::new(),
            performed: BTreeSet::new(),
        }
    }

    fn name(&self, task: TaskIx) -> String {
        self.plan.key(task).to_string()
    }

    fn note(&mut self, task: TaskIx) -> &mut Note {
        &mut self.notes[task.get()]
    }

    pub fn settled(&self, task: TaskIx) -> Option<Settled> {
        self.notes[task.get()].settled
    }

    pub fn doubt(&self, task: TaskIx) -> bool {
        self.notes[task.get()].doubt
    }

    fn succeeded(&self, task: TaskIx) -> bool {
        matches!(self.settled(task), Some(Settled::Done | Settled::Satisfied))
    }

    pub fn open_gates(&self) -> impl Iterator<Item = TaskIx> + '_ {
        let open = |task: &TaskIx| self.notes[task.get()].gate_open;
        self.plan.ixs().filter(open)
    }

    pub fn failed(&self) -> impl Iterator<Item = TaskIx> + '_ {
        let failed = |task: &TaskIx| self.settled(*task) == Some(Settled::Failed);
        self.plan.ixs().filter(failed)
    }

    /// Takes in an entry that is durable now. `offset` is by how much the
    /// clock of its writer differs, `inbox` what operators have posted.
    pub fn read(
        &mut self,
        entry: &Entry,
        writer: u64,
        offset: i64,
        inbox: &[Command],
    ) -> Result<(), Violation> {
        if self.stopped.is_some() && !matches!(entry.event, Event::Owned(_)) {
            return Err(self.out_of_place("an entry after the end", None));
        }
        match &entry.event {
            Event::Created { .. } => {}
            Event::Owned(_) => self.change_owner(),
            Event::WaveOpened { wave } => self.open_wave(*wave)?,
            Event::Probing { attempt } => {
                self.begin(*attempt, true, writer)?;
                self.in_time(attempt.task, entry.at, offset)?;
            }
            Event::Started { attempt } => {
                self.begin(*attempt, false, writer)?;
                self.in_time(attempt.task, entry.at, offset)?;
            }
            Event::Marked { attempt, .. } => {
                self.under_way(*attempt, "marked")?;
                self.note(attempt.task).doubt = true;
            }
            Event::Ended {
                attempt,
                end,
                again,
            } => {
                self.under_way(*attempt, "ended")?;
                self.end(*attempt, end, again.map(|at| (at, offset)));
            }
            Event::Skipped { task, of, .. } => self.skip(*task, *of)?,
            Event::GateOpened { task } => self.open_gate(*task)?,
            Event::Halted(_) => self.halted = true,
            Event::Commanded { number, command } => self.command(*number, command, inbox)?,
            Event::Replanned { .. } => {
                return Err(self.out_of_place("another plan, which nobody asked for", None));
            }
            Event::Stopped(end) => self.stop(*end)?,
        }
        Ok(())
    }

    /// A probe or a start is performed: the journal must say so, and must have
    /// said it once.
    pub fn perform(
        &mut self,
        attempt: AttemptId,
        probing: bool,
        owner: u64,
        superseded: bool,
    ) -> Result<(), Violation> {
        let said = self.begun.get(&attempt) == Some(&(owner, probing));
        let flight = self.notes[attempt.task.get()].flight;
        let current = flight.is_some_and(|f| f.attempt == attempt && f.probing == probing);
        if !said || !(current || superseded) {
            let task = self.name(attempt.task);
            return Err(Violation::NotDurable { task, attempt });
        }
        if !self.performed.insert(attempt) {
            return Err(Violation::AttemptReused(attempt));
        }
        Ok(())
    }

    fn change_owner(&mut self) {
        self.stopped = None;
        for note in &mut self.notes {
            if let Some(flight) = note.flight.take() {
                note.doubt |= !flight.probing;
            }
        }
    }

    fn begin(&mut self, attempt: AttemptId, probing: bool, writer: u64) -> Result<(), Violation> {
        let task = attempt.task;
        let name = self.name(task);
        if self.paused || self.cancelling {
            let how = if self.paused { "paused" } else { "cancelled" };
            return Err(Violation::Unwanted { task: name, how });
        }
        if self.plan.step_of(task).action == Action::Gate {
            return Err(Violation::GateStarted { task: name });
        }
        match self.settled(task) {
            Some(Settled::Skipped) if self.retried => {}
            Some(_) => return Err(Violation::Twice { task: name }),
            None => {}
        }
        let note = &self.notes[task.get()];
        if note.flight.is_some() {
            return Err(Violation::Overlap { task: name });
        }
        if note.doubt && !probing {
            return Err(Violation::Unprobed { task: name });
        }
        self.needs_are_there(task)?;
        self.wave_is_open(task)?;
        if self.begun.insert(attempt, (writer, probing)).is_some() {
            return Err(Violation::AttemptReused(attempt));
        }
        let note = self.note(task);
        note.settled = None;
        note.begun = true;
        note.flight = Some(Flight { attempt, probing });
        Ok(())
    }

    /// By the clock of the owner that set the moment. A clock that differs
    /// cannot be held to it.
    fn in_time(&mut self, task: TaskIx, at: Timestamp, offset: i64) -> Result<(), Violation> {
        match self.note(task).again.take() {
            Some((again, of)) if of == offset && at < again => Err(Violation::TooSoon {
                task: self.name(task),
                micros: again.as_micros() - at.as_micros(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn needs_are_there(&self, task: TaskIx) -> Result<(), Violation> {
        let step = self.plan.step_of(task);
        for need in &self.plan.tasks[task.get()].needs {
            let of_many = width(step.scope) > width(self.plan.step_of(*need).scope);
            // Who gathers many goes on with those that succeeded.
            let let_down = matches!(
                self.settled(*need),
                Some(Settled::Failed | Settled::Skipped)
            );
            // One that has begun is not called back when a need is tried again.
            let begun = self.notes[task.get()].begun;
            let tolerated = of_many && (let_down || begun) && step.action != Action::Release;
            if !self.succeeded(*need) && !tolerated {
                return Err(Violation::Early {
                    task: self.name(task),
                    need: self.name(*need),
                });
            }
        }
        Ok(())
    }

    fn wave_is_open(&self, task: TaskIx) -> Result<(), Violation> {
        match self.plan.site_of(task) {
            Some(site) if site.wave >= self.open_waves => Err(Violation::ClosedWave {
                task: self.name(task),
                wave: site.wave,
                open: self.open_waves,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn under_way(&self, attempt: AttemptId, event: &'static str) -> Result<(), Violation> {
        let flight = self.notes[attempt.task.get()].flight;
        match flight.is_some_and(|flight| flight.attempt == attempt) {
            true => Ok(()),
            false => Err(self.out_of_place(event, Some(attempt.task))),
        }
    }

    fn out_of_place(&self, event: &'static str, task: Option<TaskIx>) -> Violation {
        let task = task.map_or_else(String::new, |task| self.name(task));
        Violation::OutOfPlace { event, task }
    }

    fn end(&mut self, attempt: AttemptId, end: &AttemptEnd, again: Option<(Timestamp, i64)>) {
        let repeat = self.plan.step_of(attempt.task).action.may_repeat();
        let note = self.note(attempt.task);
        note.flight = None;
        note.again = again;
        match end {
            AttemptEnd::Done(_) => note.settled = Some(Settled::Done),
            AttemptEnd::Satisfied(_) => note.settled = Some(Settled::Satisfied),
            AttemptEnd::NotYet => note.doubt = false,
            AttemptEnd::Unknown { .. } => note.doubt = !repeat,
            AttemptEnd::Failed(fault) => {
                let cancelled = fault.kind == FaultKind::Cancelled;
                if again.is_none() && !cancelled {
                    note.settled = Some(Settled::Failed);
                }
            }
        }
    }

    fn skip(&mut self, task: TaskIx, of: Option<TaskIx>) -> Result<(), Violation> {
        let note = &self.notes[task.get()];
        if note.settled.is_some_and(|end| end != Settled::Skipped || !self.retried)
            || note.flight.is_some()
            // Of one that failed and was put back, the earlier failure tells it.
            || (note.doubt && !self.retried)
        {
            return Err(self.out_of_place("skipped", Some(task)));
        }
        // Along the chain of skips to the failure that began it.
        let root = of.map(|of| self.notes[of.get()].because.unwrap_or(of));
        let note = self.note(task);
        note.settled = Some(Settled::Skipped);
        note.because = root;
        Ok(())
    }

    fn open_gate(&mut self, task: TaskIx) -> Result<(), Violation> {
        self.needs_are_there(task)?;
        self.wave_is_open(task)?;
        if self.plan.step_of(task).action != Action::Gate {
            return Err(self.out_of_place("gate_opened", Some(task)));
        }
        let note = self.note(task);
        note.settled = None;
        note.gate_open = true;
        Ok(())
    }

    fn open_wave(&mut self, wave: u32) -> Result<(), Violation> {
        for task in self.plan.ixs() {
            let earlier = self.plan.site_of(task).is_some_and(|site| site.wave < wave);
            let open = self.settled(task).is_none() && !self.waits_for_people(task);
            if earlier && open {
                let task = self.name(task);
                return Err(Violation::WaveTooSoon { wave, task });
            }
        }
        let failed = self.failed_sites();
        match self.plan.halt_above {
            Some(allowed) if failed > allowed as usize && !self.halt_lifted => {
                return Err(Violation::HaltIgnored {
                    wave,
                    failed,
                    allowed,
                });
            }
            Some(_) | None => self.open_waves += 1,
        }
        Ok(())
    }

    /// A site's gate, and what comes after it, hold back no wave.
    fn waits_for_people(&self, task: TaskIx) -> bool {
        let of_site = self.plan.step_of(task).scope == Scope::Site;
        let gate = self.plan.step_of(task).action == Action::Gate;
        let needs = &self.plan.tasks[task.get()].needs;
        of_site && (gate || needs.iter().any(|need| self.waits_for_people(*need)))
    }

    /// At least these: with a task that failed, or skipped for one; checks
    /// count where the plan says so.
    fn failed_sites(&self) -> usize {
        let counts = |task: TaskIx| {
            let action = self.plan.step_of(task).action;
            self.settled(task) == Some(Settled::Failed)
                && (self.plan.halt_on_checks || !action.is_check())
        };
        let tasks = self.plan.ixs().filter(|task| match self.settled(*task) {
            Some(Settled::Failed) => counts(*task),
            Some(Settled::Skipped) => self.notes[task.get()].because.is_some_and(counts),
            Some(Settled::Done | Settled::Satisfied) | None => false,
        });
        let sites = tasks.filter_map(|task| self.plan.tasks[task.get()].site);
        sites.collect::<BTreeSet<_>>().len()
    }

    fn command(
        &mut self,
        number: u64,
        command: &Command,
        inbox: &[Command],
    ) -> Result<(), Violation> {
        if number > 0 {
            let last = std::mem::replace(&mut self.last_command, number);
            if number != last + 1 {
                return Err(Violation::CommandOutOfTurn { number, last });
            }
            let place = usize::try_from(number - 1).expect("few commands");
            if inbox.get(place) != Some(command) {
                return Err(Violation::CommandChanged { number });
            }
        }
        match command {
            Command::Answer { task, approved, .. } => self.answer(*task, *approved),
            Command::Pause { .. } => self.paused = true,
            Command::Cancel { .. } => self.cancelling = true,
            Command::Continue { .. } => {
                if !self.paused && !self.cancelling {
                    self.halt_lifted |= std::mem::take(&mut self.halted);
                }
                self.paused = false;
                self.cancelling = false;
            }
            Command::Retry { tasks, .. } => {
                self.halted = false;
                self.retried = true;
                for task in tasks {
                    let note = self.note(*task);
                    note.settled = note.settled.filter(|end| *end != Settled::Failed);
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, task: TaskIx, approved: bool) {
        let note = self.note(task);
        if std::mem::take(&mut note.gate_open) {
            note.settled = Some(match approved {
                true => Settled::Done,
                false => Settled::Failed,
            });
        }
    }

    fn stop(&mut self, end: RunEnd) -> Result<(), Violation> {
        self.stopped = Some(end);
        for task in self.plan.ixs() {
            let note = &self.notes[task.get()];
            if note.flight.is_some() {
                let task = self.name(task);
                return Err(Violation::LeftBehind { task });
            }
            if end == RunEnd::Finished && note.settled.is_none() {
                let task = self.name(task);
                return Err(Violation::NotAtItsEnd { task });
            }
        }
        Ok(())
    }
}

fn width(scope: Scope) -> u8 {
    match scope {
        Scope::Site => 0,
        Scope::Shard => 1,
        Scope::Run => 2,
    }
}

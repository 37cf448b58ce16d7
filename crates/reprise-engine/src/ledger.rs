//! The dense vector of task states, with one writer that keeps the tallies in step.

use reprise_model::{TaskIx, TaskState};

use crate::topology::Topology;

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    state: TaskState,
    /// Needs that still stand in the way.
    pub needs_left: u32,
    /// Number of the newest attempt; 0 before the first.
    pub attempt: u32,
    /// Failed attempts since the start or the operator's last retry.
    pub failures: u32,
    /// Whether its work may have been done: ask before starting.
    pub must_probe: bool,
    pub blame: Blame,
}

/// What a task that ended without success came to grief over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blame {
    /// Nothing, or an answer of a person.
    None,
    /// A check failed, its own or one that it needed.
    Check,
    Work,
}

#[derive(Clone)]
pub(crate) struct Ledger {
    slots: Vec<Slot>,
    counts: [u32; TaskState::ALL.len()],
    /// Tasks of each wave that hold back the next one.
    unsettled: Vec<u32>,
    /// Of each site, the tasks that make it count as failed.
    blamed: Vec<u32>,
    failed_sites: u32,
}

impl Ledger {
    pub fn new(topology: &Topology) -> Self {
        let plan = &topology.plan;
        let mut ledger = Self {
            slots: Vec::with_capacity(plan.tasks.len()),
            counts: [0; TaskState::ALL.len()],
            unsettled: vec![0; plan.waves.len()],
            blamed: vec![0; plan.sites.len()],
            failed_sites: 0,
        };
        for (ix, task) in plan.tasks.iter().enumerate() {
            ledger.slots.push(Slot {
                state: TaskState::Waiting,
                needs_left: u32::try_from(task.needs.len()).expect("fewer needs than tasks"),
                attempt: 0,
                failures: 0,
                must_probe: false,
                blame: Blame::None,
            });
            ledger.counts[TaskState::Waiting as usize] += 1;
            if let Some(wave) = ledger.held_wave(topology, TaskIx::at(ix)) {
                ledger.unsettled[wave] += 1;
            }
        }
        ledger
    }

    pub fn state(&self, task: TaskIx) -> TaskState {
        self.slots[task.get()].state
    }

    pub fn slot(&self, task: TaskIx) -> &Slot {
        &self.slots[task.get()]
    }

    pub fn slot_mut(&mut self, task: TaskIx) -> &mut Slot {
        &mut self.slots[task.get()]
    }

    pub fn count(&self, state: TaskState) -> u32 {
        self.counts[state as usize]
    }

    pub fn failed_sites(&self) -> u32 {
        self.failed_sites
    }

    pub fn wave_is_settled(&self, wave: usize) -> bool {
        self.unsettled[wave] == 0
    }

    /// The one writer of states.
    pub fn set(&mut self, topology: &Topology, task: TaskIx, new: TaskState) {
        let old = std::mem::replace(&mut self.slots[task.get()].state, new);
        self.counts[old as usize] -= 1;
        self.counts[new as usize] += 1;
        if old.is_terminal() != new.is_terminal()
            && let Some(wave) = self.held_wave(topology, task)
        {
            if new.is_terminal() {
                self.unsettled[wave] -= 1;
            } else {
                self.unsettled[wave] += 1;
            }
        }
    }

    /// Notes what the task counts as against its site.
    pub fn blame(&mut self, topology: &Topology, task: TaskIx, blame: Blame) {
        let was = std::mem::replace(&mut self.slots[task.get()].blame, blame);
        let Some(site) = topology.site(task) else {
            return;
        };
        let counts = |blame| match blame {
            Blame::None => false,
            Blame::Check => topology.plan.halt_on_checks,
            Blame::Work => true,
        };
        match (counts(was), counts(blame)) {
            (false, true) => {
                self.blamed[site] += 1;
                self.failed_sites += u32::from(self.blamed[site] == 1);
            }
            (true, false) => {
                self.blamed[site] -= 1;
                self.failed_sites -= u32::from(self.blamed[site] == 0);
            }
            (true, true) | (false, false) => {}
        }
    }

    fn held_wave(&self, topology: &Topology, task: TaskIx) -> Option<usize> {
        topology.wave(task).filter(|_| topology.holds_wave(task))
    }
}

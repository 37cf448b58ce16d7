//! Needs beyond a need that is done.
//!
//! A plan put in force in the middle of a run may want work before a task that
//! is done and stays so: a restore is never done twice. What comes after that
//! task then waits for the new work itself, as it would have in a run from the
//! start.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::TaskIx;

use crate::fold::Fold;

#[derive(Clone, Debug, Default)]
pub(crate) struct Detours {
    /// What a task waits for beyond its own needs.
    needs: BTreeMap<TaskIx, Vec<TaskIx>>,
    /// The same, seen from what is waited for.
    dependents: BTreeMap<TaskIx, Vec<TaskIx>>,
}

impl Detours {
    pub fn needs_of(&self, task: TaskIx) -> &[TaskIx] {
        self.needs.get(&task).map_or(&[], Vec::as_slice)
    }

    pub fn dependents_of(&self, task: TaskIx) -> Vec<TaskIx> {
        self.dependents.get(&task).cloned().unwrap_or_default()
    }
}

impl Fold {
    /// Once every task of a new plan has its state.
    pub(crate) fn find_detours(&mut self) {
        let mut detours = Detours::default();
        // Unsettled work behind tasks that are done; of most there is none.
        let mut behind: BTreeMap<TaskIx, BTreeSet<TaskIx>> = BTreeMap::new();
        for task in self.plan().ixs() {
            let done = self.state(task).is_success();
            let mut open = BTreeSet::new();
            for need in self.topology.needs(task) {
                if let Some(found) = behind.get(need) {
                    open.extend(found);
                }
                if done && !self.state(*need).is_terminal() {
                    open.insert(*need);
                }
            }
            if open.is_empty() {
                continue;
            }
            if done {
                behind.insert(task, open);
            } else {
                // Also where it failed or was skipped: a retry makes it wait.
                for need in &open {
                    detours.dependents.entry(*need).or_default().push(task);
                }
                detours.needs.insert(task, open.into_iter().collect());
            }
        }
        self.detours = detours;
    }

    /// Its needs, and those beyond needs that are done.
    pub(crate) fn all_needs(&self, task: TaskIx) -> impl Iterator<Item = TaskIx> + '_ {
        let own = self.topology.needs(task).iter();
        own.chain(self.detours.needs_of(task)).copied()
    }
}

//! The operator's retry, mirrored: failed tasks go back, and with them what
//! was skipped because of them.

use reprise_model::{Action, Scope, TaskIx, TaskState};

use super::Fold;

impl Fold {
    pub(super) fn put_back(&mut self, tasks: &[TaskIx]) {
        let mut back = vec![false; self.records.len()];
        for task in tasks.iter().filter(|task| task.get() < self.records.len()) {
            back[task.get()] = self.records[task.get()].state == TaskState::Failed;
        }
        let blocked = self.blocked_sites(&back);
        for task in self.plan.ixs() {
            let free = self.site_of(task).is_none_or(|site| !blocked[site]);
            if self.state(task) == TaskState::Skipped && free && self.is_free(task, &back) {
                back[task.get()] = true;
            }
        }
        for (ix, _) in back.iter().enumerate().filter(|(_, back)| **back) {
            let record = &mut self.records[ix];
            record.reason = None;
            record.end = None;
            record.answer = None;
            self.set(TaskIx::at(ix), TaskState::Waiting, false);
        }
    }

    /// Sites that stay set aside, because a task of theirs stays failed.
    fn blocked_sites(&self, back: &[bool]) -> Vec<bool> {
        let mut blocked = vec![false; self.plan.sites.len()];
        for task in self.plan.ixs() {
            let record = self.record(task);
            let stays = record.state == TaskState::Failed && record.tainted && !back[task.get()];
            if let (true, Some(site)) = (stays, self.site_of(task)) {
                blocked[site] = true;
            }
        }
        blocked
    }

    /// Nothing that the task needs stays in its way.
    fn is_free(&self, task: TaskIx, back: &[bool]) -> bool {
        self.plan.tasks[task.get()].needs.iter().all(|need| {
            let state = self.state(*need);
            let open = back[need.get()] || !state.is_terminal() || state.is_success();
            open || self.tolerates(task, *need)
        })
    }

    /// A task that gathers many sites or shards goes on without one of them.
    pub(super) fn tolerates(&self, task: TaskIx, need: TaskIx) -> bool {
        let (task, need) = (self.plan.step_of(task), self.plan.step_of(need));
        width(task.scope) > width(need.scope) && task.action != Action::Release
    }
}

fn width(scope: Scope) -> u8 {
    match scope {
        Scope::Site => 0,
        Scope::Shard => 1,
        Scope::Run => 2,
    }
}

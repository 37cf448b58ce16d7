//! How busy the pools are, as far as entries tell.

use reprise_model::{PoolName, TaskIx, TaskState};

use super::Fold;

/// One pool at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolUse {
    pub name: PoolName,
    pub slots: u32,
    /// Attempts under way.
    pub in_use: u32,
    /// Tasks that could start, or wait out a retry's delay.
    pub queued: u32,
}

impl Fold {
    /// Looks at every task: for a question now and then.
    pub fn pools(&self) -> Vec<PoolUse> {
        let pools = self.plan.pools.iter();
        let mut uses: Vec<_> = pools
            .map(|pool| PoolUse {
                name: pool.name.clone(),
                slots: pool.slots,
                in_use: 0,
                queued: 0,
            })
            .collect();
        let of_step: Vec<_> = self
            .plan
            .steps
            .iter()
            .map(|step| {
                let pool = step.pool.as_ref()?;
                self.plan.pools.iter().position(|other| other.name == *pool)
            })
            .collect();
        for task in self.plan.ixs() {
            let step = self.plan.tasks[task.get()].step as usize;
            let Some(pool) = of_step[step].map(|pool| &mut uses[pool]) else {
                continue;
            };
            if self.record(task).is_under_way() {
                pool.in_use += 1;
            } else if self.is_startable(task) {
                pool.queued += 1;
            }
        }
        uses
    }

    fn is_startable(&self, task: TaskIx) -> bool {
        match self.state(task) {
            TaskState::Waiting | TaskState::Ready => self.is_admitted(task) && self.has_needs(task),
            TaskState::Queued => true,
            TaskState::Satisfied
            | TaskState::Running
            | TaskState::Validating
            | TaskState::Gated
            | TaskState::Done
            | TaskState::Failed
            | TaskState::Indeterminate
            | TaskState::Skipped
            | TaskState::Cancelled => false,
        }
    }

    /// Its wave is open, where it belongs to one.
    fn is_admitted(&self, task: TaskIx) -> bool {
        let wave = self.plan.site_of(task).map(|site| site.wave as usize);
        let wave = wave.and_then(|wave| self.waves().get(wave));
        wave.is_none_or(|wave| wave.open)
    }

    fn has_needs(&self, task: TaskIx) -> bool {
        self.plan.tasks[task.get()].needs.iter().all(|need| {
            let state = self.state(*need);
            state.is_success() || (state.is_terminal() && self.tolerates(task, *need))
        })
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::FaultKind;

    use crate::fixture::{Story, at, failed, plan, recovered};

    #[test]
    fn a_task_is_queued_once_nothing_but_a_slot_is_missing() {
        let check = |story: &Story, in_use, queued| {
            let pools = story.fold(plan(3)).pools();
            assert_eq!((pools.len(), pools[0].slots), (1, 2));
            assert_eq!((pools[0].in_use, pools[0].queued), (in_use, queued));
        };
        let mut story = Story::begin();
        check(&story, 0, 1);
        let attempt = story.start(0);
        check(&story, 1, 0);
        story.end(attempt, recovered(2), None);
        check(&story, 0, 3);
        let attempt = story.start(1);
        check(&story, 1, 2);
        story.end(attempt, failed(FaultKind::Temporary), Some(at(500)));
        check(&story, 0, 3);
        let attempt = story.start(1);
        story.end(attempt, failed(FaultKind::Permanent), None);
        check(&story, 0, 2);
    }
}

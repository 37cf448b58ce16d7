//! Lists of neighbours in one flat vector, with the offset where each task's
//! list starts. A million tasks cost two allocations instead of a million.

use reprise_model::{Plan, TaskIx};

#[derive(Clone, Debug)]
pub(super) struct Adjacency {
    /// One more than there are tasks: list `t` is `flat[offsets[t]..offsets[t + 1]]`.
    offsets: Vec<u32>,
    flat: Vec<TaskIx>,
}

impl Adjacency {
    pub(super) fn of_needs(plan: &Plan) -> Self {
        let edges = plan.tasks.iter().map(|task| task.needs.len()).sum();
        let mut lists = Self {
            offsets: Vec::with_capacity(plan.tasks.len() + 1),
            flat: Vec::with_capacity(edges),
        };
        lists.offsets.push(0);
        for task in &plan.tasks {
            lists.flat.extend_from_slice(&task.needs);
            lists.offsets.push(offset(lists.flat.len()));
        }
        lists
    }

    /// The same edges, seen from the other end: a counting sort.
    pub(super) fn reversed(&self) -> Self {
        let tasks = self.offsets.len() - 1;
        let mut offsets = vec![0u32; tasks + 1];
        for target in &self.flat {
            offsets[target.get() + 1] += 1;
        }
        for task in 0..tasks {
            offsets[task + 1] += offsets[task];
        }
        let mut next = offsets.clone();
        let mut flat = vec![TaskIx(0); self.flat.len()];
        for task in (0..tasks).map(TaskIx::at) {
            for target in self.of(task) {
                let place = &mut next[target.get()];
                flat[*place as usize] = task;
                *place += 1;
            }
        }
        Self { offsets, flat }
    }

    pub(super) fn of(&self, task: TaskIx) -> &[TaskIx] {
        let start = self.offsets[task.get()] as usize;
        let end = self.offsets[task.get() + 1] as usize;
        &self.flat[start..end]
    }

    pub(super) fn edges(&self) -> usize {
        self.flat.len()
    }
}

fn offset(edges: usize) -> u32 {
    u32::try_from(edges).expect("a plan holds fewer than 2^32 edges")
}

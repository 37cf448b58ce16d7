//! The shape of a plan's DAG, laid out for machines: who needs whom, in both
//! directions and in flat lists, and how much work hangs on each task.
//!
//! Everything here asks for a plan whose needs point backwards and whose
//! indexes are in range: one that was just compiled, or one that
//! [`crate::verify_plan`] accepted.

mod adjacency;
mod bound;

use reprise_model::{Plan, TaskIx};

use adjacency::Adjacency;
pub use bound::{Binding, LowerBound, lower_bound};

/// Slots for tasks whose step names no pool: a limit, because everything has one.
pub const SLOTS_WITHOUT_POOL: u32 = 64;

/// Two adjacency lists of 4 bytes an edge and one rank of 8 bytes a task.
#[derive(Clone, Debug)]
pub struct Shape {
    needs: Adjacency,
    dependents: Adjacency,
    ranks: Vec<u64>,
}

impl Shape {
    pub fn of(plan: &Plan) -> Self {
        let needs = Adjacency::of_needs(plan);
        let dependents = needs.reversed();
        Self {
            ranks: ranks(plan),
            needs,
            dependents,
        }
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// Number of edges.
    pub fn edges(&self) -> usize {
        self.needs.edges()
    }

    pub fn needs_of(&self, task: TaskIx) -> &[TaskIx] {
        self.needs.of(task)
    }

    /// In ascending order.
    pub fn dependents_of(&self, task: TaskIx) -> &[TaskIx] {
        self.dependents.of(task)
    }

    /// Microseconds from the task's start to the end of the heaviest chain of
    /// tasks that hangs on it, itself included. The higher, the sooner to start.
    pub fn rank(&self, task: TaskIx) -> u64 {
        self.ranks[task.get()]
    }
}

/// Expected duration of the task, in microseconds.
fn cost(plan: &Plan, task: TaskIx) -> u64 {
    u64::try_from(plan.expected(task).as_micros()).unwrap_or(u64::MAX)
}

/// For each task its own expected duration plus the heaviest chain of its
/// dependents, in microseconds. One pass from the last task to the first.
pub fn ranks(plan: &Plan) -> Vec<u64> {
    let mut ranks = vec![0u64; plan.tasks.len()];
    for (at, task) in plan.tasks.iter().enumerate().rev() {
        let rank = ranks[at].saturating_add(cost(plan, TaskIx::at(at)));
        ranks[at] = rank;
        for need in &task.needs {
            let heaviest = &mut ranks[need.get()];
            *heaviest = rank.max(*heaviest);
        }
    }
    ranks
}

/// The chain of tasks that no number of slots can shorten.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CriticalPath {
    pub tasks: Vec<TaskIx>,
    /// The sum of their expected durations.
    pub seconds: f64,
}

/// The heaviest chain by expected durations; of equals, the one that comes
/// first in the plan.
pub fn critical_path(plan: &Plan) -> CriticalPath {
    let shape = Shape::of(plan);
    let heaviest = |tasks: &mut dyn Iterator<Item = TaskIx>| {
        tasks.max_by_key(|&task| (shape.rank(task), std::cmp::Reverse(task)))
    };
    let mut path = CriticalPath::default();
    let mut next = heaviest(&mut plan.ixs());
    if let Some(first) = next {
        path.seconds = shape.rank(first) as f64 / 1e6;
    }
    while let Some(task) = next {
        path.tasks.push(task);
        next = heaviest(&mut shape.dependents_of(task).iter().copied());
    }
    path
}

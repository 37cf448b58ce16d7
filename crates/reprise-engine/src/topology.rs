//! What never changes during a run: the plan, its edges, and what follows from them.

use std::sync::Arc;
use std::time::Duration;

use reprise_model::{Action, Plan, PlannedStep, PlannedTask, PoolName, Scope, TaskIx};
use reprise_plan::shape::{SLOTS_WITHOUT_POOL, Shape};

/// Marks a task that belongs to no wave: those of shards and of the run.
const NO_WAVE: u32 = u32::MAX;

/// What bounds the attempts of some steps.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct PoolShape {
    pub slots: u32,
    /// Shortest time between two starts, where the pool has a rate.
    pub spacing: Option<Duration>,
}

pub(crate) struct Topology {
    pub plan: Arc<Plan>,
    pub shape: Shape,
    /// The plan's, and last the one of the steps that name none.
    pub pools: Vec<PoolShape>,
    pool_of_step: Vec<u32>,
    wave: Vec<u32>,
    holds_wave: Vec<bool>,
    site_offsets: Vec<u32>,
    site_tasks: Vec<TaskIx>,
}

impl Topology {
    pub fn new(plan: Arc<Plan>) -> Self {
        let shape = Shape::of(&plan);
        let wave: Vec<u32> = plan.tasks.iter().map(|task| wave_of(&plan, task)).collect();
        let (site_offsets, site_tasks) = tasks_by_site(&plan);
        Self {
            pools: pools(&plan),
            pool_of_step: pool_of_step(&plan),
            holds_wave: holding(&plan, &wave),
            plan,
            shape,
            wave,
            site_offsets,
            site_tasks,
        }
    }

    pub fn step(&self, task: TaskIx) -> &PlannedStep {
        self.plan.step_of(task)
    }

    pub fn action(&self, task: TaskIx) -> Action {
        self.step(task).action
    }

    pub fn site(&self, task: TaskIx) -> Option<usize> {
        self.plan.tasks[task.get()].site.map(|site| site as usize)
    }

    /// Index into `pools`.
    pub fn pool(&self, task: TaskIx) -> usize {
        self.pool_of_step[self.plan.tasks[task.get()].step as usize] as usize
    }

    /// The wave that must be open before the task may start.
    pub fn wave(&self, task: TaskIx) -> Option<usize> {
        let wave = self.wave[task.get()];
        (wave != NO_WAVE).then_some(wave as usize)
    }

    /// Whether the task's wave is settled only once the task is.
    pub fn holds_wave(&self, task: TaskIx) -> bool {
        self.holds_wave[task.get()]
    }

    pub fn needs(&self, task: TaskIx) -> &[TaskIx] {
        &self.plan.tasks[task.get()].needs
    }

    pub fn of_site(&self, site: usize) -> &[TaskIx] {
        let range = self.site_offsets[site] as usize..self.site_offsets[site + 1] as usize;
        &self.site_tasks[range]
    }

    /// Whether `dependent` goes on when `need` fails: a task that gathers
    /// many sites or shards does, so that one bad site stops nobody else.
    /// Scratch is released only when all of them are done, because a retry
    /// wants it.
    pub fn tolerates(&self, dependent: TaskIx, need: TaskIx) -> bool {
        let gathers = width(self.step(dependent).scope) > width(self.step(need).scope);
        gathers && self.action(dependent) != Action::Release
    }
}

fn wave_of(plan: &Plan, task: &PlannedTask) -> u32 {
    task.site
        .map_or(NO_WAVE, |site| plan.sites[site as usize].wave)
}

/// Which tasks hold back the wave after their own: all of its sites, but for a
/// site's gate and what comes after one, and for what waits for sites of later
/// waves by way of a task that gathers them.
fn holding(plan: &Plan, wave: &[u32]) -> Vec<bool> {
    let mut beyond_gate = vec![false; plan.tasks.len()];
    // The last wave that must be open before the task can start.
    let mut latest = vec![0; plan.tasks.len()];
    for (ix, task) in plan.tasks.iter().enumerate() {
        let gate = plan.steps[task.step as usize].action == Action::Gate;
        let needs = || task.needs.iter().map(|need| need.get());
        beyond_gate[ix] = (gate && task.site.is_some()) || needs().any(|need| beyond_gate[need]);
        let own = if wave[ix] == NO_WAVE { 0 } else { wave[ix] };
        latest[ix] = needs().map(|need| latest[need]).fold(own, u32::max);
    }
    let all = beyond_gate.iter().zip(latest).zip(wave);
    all.map(|((beyond, latest), wave)| !beyond && latest <= *wave)
        .collect()
}

fn pools(plan: &Plan) -> Vec<PoolShape> {
    let named = plan.pools.iter().map(|pool| PoolShape {
        slots: pool.slots,
        spacing: pool
            .rate_per_second
            .map(|per_second| Duration::from_secs_f64(1.0 / per_second)),
    });
    let rest = PoolShape {
        slots: SLOTS_WITHOUT_POOL,
        spacing: None,
    };
    named.chain([rest]).collect()
}

fn pool_of_step(plan: &Plan) -> Vec<u32> {
    let place = |name: &PoolName| plan.pools.iter().position(|pool| pool.name == *name);
    let pools = plan.steps.iter().map(|step| {
        let pool = step.pool.as_ref().and_then(place);
        u32::try_from(pool.unwrap_or(plan.pools.len())).expect("few pools")
    });
    pools.collect()
}

fn width(scope: Scope) -> u8 {
    match scope {
        Scope::Site => 0,
        Scope::Shard => 1,
        Scope::Run => 2,
    }
}

/// The tasks of each site, as offsets into one flat list.
fn tasks_by_site(plan: &Plan) -> (Vec<u32>, Vec<TaskIx>) {
    let mut offsets = vec![0u32; plan.sites.len() + 1];
    for site in plan.tasks.iter().filter_map(|task| task.site) {
        offsets[site as usize + 1] += 1;
    }
    for site in 0..plan.sites.len() {
        offsets[site + 1] += offsets[site];
    }
    let mut next = offsets.clone();
    let mut tasks = vec![TaskIx(0); offsets[plan.sites.len()] as usize];
    for (ix, task) in plan.tasks.iter().enumerate() {
        let Some(site) = task.site else { continue };
        let place = &mut next[site as usize];
        tasks[*place as usize] = TaskIx::at(ix);
        *place += 1;
    }
    (offsets, tasks)
}

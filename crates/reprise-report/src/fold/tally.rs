//! Counters kept in step with the task states, so that a display of a run
//! with a hundred thousand sites never has to count.

use reprise_model::{Plan, TaskState};

/// How a site stands, as far as counting goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SiteProgress {
    /// Something of it is still to be done.
    Open,
    /// Every task of it is in a terminal state, none counts against it.
    Settled,
    /// Set aside.
    Failed,
}

/// Sites of one wave by how they stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WaveTally {
    pub sites: u32,
    pub settled: u32,
    pub failed: u32,
    pub open: bool,
}

#[derive(Clone, Debug)]
struct SiteTally {
    wave: u32,
    unfinished: u32,
    taints: u32,
}

/// Everything that is counted.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    states: [u32; TaskState::ALL.len()],
    sites: Vec<SiteTally>,
    pub waves: Vec<WaveTally>,
}

impl Tally {
    pub fn new(plan: &Plan) -> Self {
        let mut states = [0; TaskState::ALL.len()];
        states[TaskState::Waiting as usize] =
            u32::try_from(plan.tasks.len()).expect("a plan holds fewer than 2^32 tasks");
        let mut sites: Vec<_> = plan
            .sites
            .iter()
            .map(|site| SiteTally {
                wave: site.wave,
                unfinished: 0,
                taints: 0,
            })
            .collect();
        for site in plan.tasks.iter().filter_map(|task| task.site) {
            sites[site as usize].unfinished += 1;
        }
        let mut waves = vec![WaveTally::default(); plan.waves.len()];
        for site in &plan.sites {
            if let Some(wave) = waves.get_mut(site.wave as usize) {
                wave.sites += 1;
            }
        }
        Self {
            states,
            sites,
            waves,
        }
    }

    pub fn count(&self, state: TaskState) -> u32 {
        self.states[state as usize]
    }

    pub fn site(&self, site: usize) -> SiteProgress {
        let tally = &self.sites[site];
        if tally.taints > 0 {
            SiteProgress::Failed
        } else if tally.unfinished == 0 {
            SiteProgress::Settled
        } else {
            SiteProgress::Open
        }
    }

    /// Nothing of the site is still to be done.
    pub fn is_settled(&self, site: usize) -> bool {
        self.sites[site].unfinished == 0
    }

    /// Counts a change of state, and of whether it counts against the site.
    pub fn change(
        &mut self,
        site: Option<usize>,
        (old, was_tainted): (TaskState, bool),
        (new, tainted): (TaskState, bool),
    ) {
        self.states[old as usize] -= 1;
        self.states[new as usize] += 1;
        let Some(site) = site else { return };
        let before = self.site(site);
        let tally = &mut self.sites[site];
        tally.unfinished =
            tally.unfinished + u32::from(!is_settled(new)) - u32::from(!is_settled(old));
        tally.taints = tally.taints + u32::from(tainted) - u32::from(was_tainted);
        let wave = tally.wave as usize;
        let after = self.site(site);
        if let Some(wave) = self.waves.get_mut(wave) {
            *wave.counter(before) -= u32::from(before != SiteProgress::Open);
            *wave.counter(after) += u32::from(after != SiteProgress::Open);
        }
    }
}

impl WaveTally {
    fn counter(&mut self, progress: SiteProgress) -> &mut u32 {
        match progress {
            SiteProgress::Failed => &mut self.failed,
            SiteProgress::Settled | SiteProgress::Open => &mut self.settled,
        }
    }
}

/// Cancelled tasks come back with a resume, so that they are not settled.
fn is_settled(state: TaskState) -> bool {
    state.is_terminal() && state != TaskState::Cancelled
}

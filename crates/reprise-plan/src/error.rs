//! Why there is no plan. All mistakes of a kind are reported at once.

use std::fmt;

use reprise_model::{PoolName, SiteId, StepName, StoreId};

use crate::input::Place;

#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum PlanError {
    #[error("{}{id} is not a site at the target time{}", at(.place), what(.identified, .nearest))]
    NotASite {
        id: SiteId,
        place: Option<Place>,
        /// What it is instead, such as `apps.id`.
        identified: Option<String>,
        nearest: Option<SiteId>,
    },
    #[error("{}site {id} is selected twice{}", at(.place), first_at(.first))]
    SelectedTwice {
        id: SiteId,
        place: Option<Place>,
        first: Option<Place>,
    },
    #[error("no site is selected: {why}")]
    NothingSelected { why: String },
    #[error("no site has an attribute `{attribute}`{}", meant(.nearest))]
    UnknownAttribute {
        attribute: String,
        nearest: Option<String>,
    },
    #[error("row {row} of the list of sites has no `id`")]
    SiteWithoutId { row: usize },
    #[error("the list of sites has site {id} {times} times")]
    SiteListedTwice { id: SiteId, times: usize },
    #[error(
        "store {store} places site {site} on shard `{value}`, which it does not have{}",
        meant(.nearest)
    )]
    UnknownShard {
        store: StoreId,
        site: SiteId,
        value: String,
        nearest: Option<String>,
    },
    #[error("store {store} cannot place site {site}: {reason}")]
    Placement {
        store: StoreId,
        site: SiteId,
        reason: String,
    },
    #[error("store {store} has {shards} shards and no `placement` that tells them apart")]
    NoPlacement { store: StoreId, shards: usize },
    #[error(
        "store {store}: `{path}` of site {site} is not its own, `{inner}` of site {other} lies within; \
         let the template name the site, as in `{{{{ site.id }}}}`"
    )]
    NotApart {
        store: StoreId,
        site: SiteId,
        path: String,
        other: SiteId,
        inner: String,
    },
    #[error("cannot tell whether step {step} is wanted for {subject}{}: {reason}", more(.others))]
    Condition {
        step: StepName,
        /// The first for which it failed.
        subject: String,
        reason: String,
        /// For how many more it failed: one mistake, told once.
        others: usize,
    },
    #[error("the runbook has step {step} twice")]
    StepTwice { step: StepName },
    #[error("step {step} needs `{need}`, which is not a step{}", meant(.nearest))]
    UnknownNeed {
        step: StepName,
        need: StepName,
        nearest: Option<String>,
    },
    #[error("step {step} names store `{store}`, which the estate does not have{}", meant(.nearest))]
    UnknownStore {
        step: StepName,
        store: StoreId,
        nearest: Option<String>,
    },
    #[error("step {step} names pool `{pool}`, which the runbook does not have{}", meant(.nearest))]
    UnknownPool {
        step: StepName,
        pool: PoolName,
        nearest: Option<String>,
    },
    #[error("step {step} with `action: {action}` of scope {scope} names no store")]
    StoreMissing {
        step: StepName,
        action: &'static str,
        scope: &'static str,
    },
    #[error(
        "step {step} says `with: {{ {option} }}`, which store {store} of kind `{kind}` does not know; \
         {}", those(.known)
    )]
    UnknownOption {
        step: StepName,
        option: String,
        store: StoreId,
        kind: &'static str,
        /// What it knows, in words; empty where that is nothing.
        known: String,
    },
    #[error("step {step} does not say what it compares: {why}")]
    NothingCompared { step: StepName, why: String },
    #[error("pool {pool} has no slots: its tasks would never start")]
    PoolWithoutSlots { pool: PoolName },
    #[error("steps need each other in a circle: {}", chain(.path))]
    Cycle {
        /// Each needs the next; the last is the first again.
        path: Vec<StepName>,
    },
    #[error(
        "the plan would have more than {limit} dependencies, most of them of step {step}; \
         let a step of scope `run` stand between the two groups of tasks"
    )]
    TooManyEdges { step: StepName, limit: usize },
}

impl PlanError {
    /// A stable word for scripts and for the page that explains the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotASite { .. } => "not-a-site",
            Self::SelectedTwice { .. } => "selected-twice",
            Self::NothingSelected { .. } => "nothing-selected",
            Self::UnknownAttribute { .. } => "unknown-attribute",
            Self::SiteWithoutId { .. } => "site-without-id",
            Self::SiteListedTwice { .. } => "site-listed-twice",
            Self::UnknownShard { .. } => "unknown-shard",
            Self::Placement { .. } => "placement-failed",
            Self::NoPlacement { .. } => "no-placement",
            Self::NotApart { .. } => "not-apart",
            Self::Condition { .. } => "condition-failed",
            Self::StepTwice { .. } => "step-twice",
            Self::UnknownNeed { .. } => "unknown-need",
            Self::UnknownStore { .. } => "unknown-store",
            Self::UnknownPool { .. } => "unknown-pool",
            Self::PoolWithoutSlots { .. } => "pool-without-slots",
            Self::StoreMissing { .. } => "store-missing",
            Self::UnknownOption { .. } => "unknown-option",
            Self::NothingCompared { .. } => "nothing-compared",
            Self::Cycle { .. } => "cycle",
            Self::TooManyEdges { .. } => "too-many-dependencies",
        }
    }
}

/// At least one error, in the order of the inputs.
#[derive(Clone, PartialEq, Debug)]
pub struct PlanErrors(pub Vec<PlanError>);

impl PlanErrors {
    /// Nothing is wrong, there is just nothing to do: an exit code of its own.
    pub fn is_nothing_to_do(&self) -> bool {
        matches!(self.0[..], [PlanError::NothingSelected { .. }])
    }

    /// `Ok` when there is no error.
    pub(crate) fn none_in(errors: Vec<PlanError>) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self(errors))
        }
    }
}

impl From<PlanError> for PlanErrors {
    fn from(error: PlanError) -> Self {
        Self(vec![error])
    }
}

impl std::error::Error for PlanErrors {}

impl fmt::Display for PlanErrors {
    /// One error a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        Ok(())
    }
}

fn at(place: &Option<Place>) -> String {
    place.as_ref().map_or(String::new(), |p| format!("{p}: "))
}

fn first_at(place: &Option<Place>) -> String {
    place
        .as_ref()
        .map_or(String::new(), |p| format!(", first at {p}"))
}

fn those(known: &str) -> String {
    match known {
        "" => "it knows no options".to_owned(),
        known => format!("it knows {known}"),
    }
}

fn meant(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or(String::new(), |name| format!("; the nearest is `{name}`"))
}

fn what(identified: &Option<String>, nearest: &Option<SiteId>) -> String {
    match (identified, nearest) {
        (Some(key), _) => format!(": it is a key of {key}"),
        (None, Some(site)) => format!("; the nearest is `{site}`"),
        (None, None) => String::new(),
    }
}

fn more(others: &usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" and {others} more"),
    }
}

fn chain(path: &[StepName]) -> String {
    let names: Vec<&str> = path.iter().map(StepName::as_str).collect();
    names.join(" -> ")
}

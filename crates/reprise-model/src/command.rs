//! What an operator asks of a run, from another terminal or before a resume.

use serde::{Deserialize, Serialize};

use crate::TaskIx;

/// Posted to the run's inbox; the owner turns it into a journal event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Answer {
        task: TaskIx,
        approved: bool,
        by: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    Pause {
        by: String,
    },
    Continue {
        by: String,
    },
    Cancel {
        by: String,
    },
    /// Put failed tasks back; what was skipped because of them follows.
    Retry {
        tasks: Vec<TaskIx>,
        by: String,
    },
}

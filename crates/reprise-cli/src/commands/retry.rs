use clap::Args;
use reprise_model::{Command, Exit, TaskIx, TaskState};
use reprise_report::{Fold, format};

use super::inbox::{Addressee, Speaker};
use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;

/// Put failed tasks back, with what was skipped because of them
///
/// All failed tasks, or those of one site or one step. Afterwards `reprise
/// resume` tries them, unless the run is alive and takes them itself.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise retry 20260301T121500Z-3fa9c1
  reprise retry 20260301T121500Z-3fa9c1 --site 4711
  reprise retry 20260301T121500Z-3fa9c1 --task whole")]
pub struct Retry {
    /// The run; the newest by default
    run: Option<String>,
    /// Only what failed for this site, a failed shard of it included
    #[arg(long, value_name = "ID")]
    site: Option<String>,
    /// Only this task, such as `product/4711`, or all tasks of this step
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    #[command(flatten)]
    speaker: Speaker,
}

impl Retry {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let addressee = Addressee::find(global, self.run.as_deref()).await?;
        let fold = &addressee.history.fold;
        let tasks = self.meant(fold)?;
        if tasks.is_empty() {
            return Err(
                Failure::new(Exit::NothingToDo, "no failed task is meant by this")
                    .fact("failed tasks in all", fold.count(TaskState::Failed))
                    .hint("`reprise report` lists what failed and why"),
            );
        }
        let what = format!("{} put back", format::plural(tasks.len() as u64, "task"));
        let command = Command::Retry {
            tasks,
            by: self.speaker.name(),
        };
        addressee.post(&[command], &what, global, printer).await
    }

    fn meant(&self, fold: &Fold) -> Result<Vec<TaskIx>, Failure> {
        let plan = fold.plan();
        let site = match &self.site {
            None => None,
            Some(id) => Some(
                plan.sites
                    .iter()
                    .position(|site| site.id.as_str() == id)
                    .ok_or_else(|| Failure::usage(format!("site `{id}` is not in this run")))?,
            ),
        };
        let of_site = |task: TaskIx| match (site, fold.site_of(task)) {
            (None, _) => true,
            (Some(site), Some(other)) => site == other,
            (Some(site), None) => plan.tasks[task.get()]
                .shard
                .is_none_or(|shard| plan.sites[site].shards.contains(&shard)),
        };
        let named = |task: TaskIx| {
            self.task.as_deref().is_none_or(|name| {
                plan.key(task).as_str() == name || plan.step_of(task).name.as_str() == name
            })
        };
        let failed = plan
            .ixs()
            .filter(|task| fold.state(*task) == TaskState::Failed);
        Ok(failed
            .filter(|task| of_site(*task) && named(*task))
            .collect())
    }
}

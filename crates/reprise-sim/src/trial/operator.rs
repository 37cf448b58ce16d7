//! People: what they ask for at any moment, and what they do to have a run
//! come to its end.

use std::time::Duration;

use rand::RngExt;
use reprise_engine::Input;
use reprise_model::{Command, RunEnd, TaskIx};

use super::Trial;
use super::coverage::Mishap;
use super::timeline::{CoordinatorId, Happening};
use crate::checks::Violation;

fn by() -> String {
    "operator".to_owned()
}

impl Trial {
    /// A person looks at the run every now and then.
    pub fn operate(&mut self) -> Result<(), Violation> {
        let wait = Duration::from_secs(self.world.rng.random_range(1..60));
        self.world.timeline.after(wait, Happening::Operator);
        if self.quiet_since.is_some() {
            self.help();
            return Ok(());
        }
        let operator = self.world.faults.operator;
        if self.world.mishap(operator / 8.0, Mishap::Signal)
            && let Some(owner) = self.owner
        {
            let command = Command::Cancel { by: by() };
            let input = Input::Commanded { number: 0, command };
            return self.heard(owner, input);
        }
        if self.world.chance(operator) {
            let (command, mishap) = self.something();
            self.world.coverage.count(mishap);
            self.post(command);
        }
        Ok(())
    }

    fn something(&mut self) -> (Command, Mishap) {
        match self.world.rng.random_range(0..8) {
            0 => (Command::Pause { by: by() }, Mishap::Pause),
            1 => (Command::Cancel { by: by() }, Mishap::Cancel),
            2 => {
                let mut tasks: Vec<TaskIx> = self.books.failed().collect();
                tasks.retain(|_| self.world.rng.random_bool(0.7));
                (Command::Retry { tasks, by: by() }, Mishap::Retry)
            }
            3 => {
                let tasks = u32::try_from(self.plan.tasks.len()).expect("few tasks");
                let task = TaskIx(self.world.rng.random_range(0..tasks));
                (answer(task, true), Mishap::Nonsense)
            }
            4 | 5 => (Command::Continue { by: by() }, Mishap::Continue),
            _ => match self.books.open_gates().next() {
                Some(task) if self.world.rng.random_bool(0.8) => {
                    (answer(task, true), Mishap::Approve)
                }
                Some(task) => (answer(task, false), Mishap::Reject),
                None => (Command::Continue { by: by() }, Mishap::Continue),
            },
        }
    }

    /// In the quiet phase: answers gates, and has a paused run go on.
    fn help(&mut self) {
        if !self.world.faults.people || self.has_unread() {
            return;
        }
        if self.books.paused || self.books.cancelling {
            self.post(Command::Continue { by: by() });
        }
        self.answer_gates();
    }

    fn has_unread(&self) -> bool {
        !self.tape.inbox(self.books.last_command).is_empty()
    }

    fn answer_gates(&mut self) {
        let open: Vec<TaskIx> = self.books.open_gates().collect();
        for task in open {
            self.post(answer(task, true));
        }
    }

    /// What a person does when the coordinator has stopped.
    pub fn operate_after(&mut self, end: RunEnd) {
        match end {
            RunEnd::Finished | RunEnd::Paused | RunEnd::Cancelled => {}
            RunEnd::Halted => self.post(Command::Continue { by: by() }),
            RunEnd::AtGates => self.answer_gates(),
        }
    }

    fn post(&mut self, command: Command) {
        self.tape.post(command);
        match self.owner {
            Some(of) => {
                let wait = Duration::from_millis(self.world.rng.random_range(0..300));
                self.world.timeline.after(wait, Happening::Inbox { of });
            }
            None => self.world.coverage.count(Mishap::Between),
        }
    }

    pub fn look_into_inbox(&mut self, of: CoordinatorId) -> Result<(), Violation> {
        let Some(coordinator) = self.coordinators.get_mut(&of) else {
            return Ok(());
        };
        let commands = self.tape.inbox(coordinator.last_command);
        if let Some((number, _)) = commands.last() {
            coordinator.last_command = *number;
        }
        for (number, command) in commands {
            let input = Input::Commanded { number, command };
            let twice = self.world.faults.duplicate;
            if self.world.mishap(twice, Mishap::ToldTwice) {
                let input = input.clone();
                let again = Happening::Heard { by: of, input };
                let wait = self.world.draw(0.0..5.0);
                self.world.timeline.after(wait, again);
            }
            self.heard(of, input)?;
        }
        Ok(())
    }
}

fn answer(task: TaskIx, approved: bool) -> Command {
    Command::Answer {
        task,
        approved,
        by: by(),
        note: None,
    }
}

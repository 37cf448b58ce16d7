//! The peer: the least that runs the same tasks as durably. A tokio task for
//! each, dense vectors, one row for each finished task, group commit; a slot is
//! free once its task has ended, dependents wait for the commit. It has no
//! attempts, no failures, no hashes, no events, and forgets nothing it knows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reprise_model::{Plan, TaskIx};
use reprise_plan::shape::Shape;
use reprise_sim::Workload;
use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::precise::Precise;
use crate::{Fallible, Measured, peak_mib};

enum Message {
    Ended(TaskIx),
    Durable(Vec<TaskIx>),
}

struct Pool {
    free: u32,
    /// The longest remaining path first.
    ready: BinaryHeap<(u64, Reverse<TaskIx>)>,
}

struct Loop {
    shape: Shape,
    needs_left: Vec<u32>,
    pool_of: Vec<usize>,
    pools: Vec<Pool>,
    free: u32,
    durations: Arc<Vec<Duration>>,
    timer: Precise,
    outbox: mpsc::UnboundedSender<Message>,
}

impl Loop {
    fn new(work: &Workload, plan: &Plan, outbox: mpsc::UnboundedSender<Message>) -> Self {
        let pools = plan.pools.iter().map(|pool| Pool {
            free: pool.slots,
            ready: BinaryHeap::new(),
        });
        let pool_of = plan.ixs().map(|task| {
            let pool = plan.step_of(task).pool.as_ref();
            let place = plan
                .pools
                .iter()
                .position(|found| Some(&found.name) == pool);
            place.expect("every step of this work has a pool")
        });
        Self {
            shape: Shape::of(plan),
            needs_left: plan
                .tasks
                .iter()
                .map(|task| task.needs.len() as u32)
                .collect(),
            pool_of: pool_of.collect(),
            pools: pools.collect(),
            free: plan.slots.unwrap_or(u32::MAX),
            durations: Arc::new(work.durations.clone()),
            timer: Precise::new(!work.bound.is_zero()),
            outbox,
        }
    }

    fn make_ready(&mut self, task: TaskIx) {
        let entry = (self.shape.rank(task), Reverse(task));
        self.pools[self.pool_of[task.get()]].ready.push(entry);
    }

    fn start_what_can(&mut self) {
        while self.free > 0 {
            let pools = self.pools.iter_mut();
            let able = pools.filter(|pool| pool.free > 0 && !pool.ready.is_empty());
            let Some(pool) = able.max_by_key(|pool| pool.ready.peek().copied()) else {
                return;
            };
            let Some((_, Reverse(task))) = pool.ready.pop() else {
                return;
            };
            pool.free -= 1;
            self.free -= 1;
            let (outbox, timer) = (self.outbox.clone(), self.timer.clone());
            let durations = self.durations.clone();
            tokio::spawn(async move {
                timer.wait(durations[task.get()]).await;
                let _ = outbox.send(Message::Ended(task));
            });
        }
    }

    fn ended(&mut self, task: TaskIx) {
        self.pools[self.pool_of[task.get()]].free += 1;
        self.free += 1;
    }

    fn durable(&mut self, task: TaskIx) {
        for at in 0..self.shape.dependents_of(task).len() {
            let dependent = self.shape.dependents_of(task)[at];
            let left = &mut self.needs_left[dependent.get()];
            *left -= 1;
            if *left == 0 {
                self.make_ready(dependent);
            }
        }
    }
}

pub async fn run(work: Workload, folder: &Path) -> Fallible<Measured> {
    // It is told all durations: its order is the best that is known.
    let plan = work.known();
    let (outbox, mut incoming) = mpsc::unbounded_channel();
    let (to_writer, queue) = std::sync::mpsc::channel();
    let path = folder.join("bare.db");
    let store = open(&path)?;
    let writer = {
        let outbox = outbox.clone();
        std::thread::spawn(move || write(store, &queue, &outbox))
    };
    let mut bare = Loop::new(&work, &plan, outbox);
    let tasks = plan.tasks.len();
    let start = Instant::now();
    for task in plan.ixs() {
        if bare.needs_left[task.get()] == 0 {
            bare.make_ready(task);
        }
    }
    bare.start_what_can();
    let mut done = 0;
    while done < tasks {
        let mut next = incoming.recv().await;
        while let Some(message) = next {
            match message {
                Message::Ended(task) => {
                    bare.ended(task);
                    to_writer.send(task)?;
                }
                Message::Durable(ended) => {
                    done += ended.len();
                    ended.into_iter().for_each(|task| bare.durable(task));
                }
            }
            bare.start_what_can();
            next = incoming.try_recv().ok();
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let peak_mib = peak_mib()?;
    drop(to_writer);
    let commits = writer.join().map_err(|_| "the writer panicked")??;
    let rows: i64 =
        Connection::open(&path)?.query_row("select count(*) from done", [], |row| row.get(0))?;
    if rows as usize != tasks {
        return Err(format!("{rows} rows for {tasks} tasks").into());
    }
    Ok(Measured {
        seconds,
        peak_mib,
        commits,
    })
}

fn open(path: &Path) -> Fallible<Connection> {
    let store = Connection::open(path)?;
    store.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4096;
         create table done (task integer primary key)",
    )?;
    Ok(store)
}

/// Writes all that has come in one commit, again and again.
fn write(
    store: Connection,
    queue: &std::sync::mpsc::Receiver<TaskIx>,
    outbox: &mpsc::UnboundedSender<Message>,
) -> Fallible<u64> {
    let mut insert = store.prepare("insert into done (task) values (?1)")?;
    let mut commits = 0;
    while let Ok(first) = queue.recv() {
        let mut ended = vec![first];
        ended.extend(queue.try_iter());
        store.execute_batch("begin immediate")?;
        for task in &ended {
            insert.execute([task.0])?;
        }
        store.execute_batch("commit")?;
        commits += 1;
        outbox.send(Message::Durable(ended))?;
    }
    Ok(commits)
}

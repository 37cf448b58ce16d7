//! Attempts that end at any moment, and a repeat that finds its way.
//!
//! A moment is a number of polls and not of milliseconds: it does not depend
//! on how fast the machine is, and a seed names all of them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use reprise_model::{Action, Fault, FaultKind, Outcome, Timestamp};
use reprise_ports::{Connector, Probe};
use sqlx::{AssertSqlSafe, MySqlConnection, Row, raw_sql};

use super::world::{World, call, run};

const ROUNDS: u64 = 16;
/// Rows that fill several statements.
const MANY: &str = "insert into app.issues (project_id, title, body)
    select 10, concat('t', seq), repeat('x', 700) from seq_1_to_3000";

type Attempt<'a> = Pin<&'a mut (dyn Future<Output = Result<Outcome, Fault>> + Send)>;

/// A site of some megabytes, deleted after T.
async fn deleted() -> (World, Timestamp, [String; 2]) {
    let mut world = World::new().await;
    world.commit_at(5, MANY).await;
    let before = [world.dump("s.id = 1").await, world.dump("s.id <> 1").await];
    world.commit_at(20, DELETE).await;
    let target = world.at(15.0);
    world.perform(Action::Recover, target, None).await.unwrap();
    (world, target, before)
}

const DELETE: &str = "delete from app.sites where id = 1";

/// The answer, where it comes within so many polls.
async fn within(polls: u64, mut attempt: Attempt<'_>) -> Option<Result<Outcome, Fault>> {
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        attempt.as_mut().poll(context).map(Some)
    })
    .await
}

/// How many polls a restore takes that nothing disturbs, at the least: the first
/// also reads the catalogs, and two ends that answer at once are one poll.
async fn undisturbed(world: &mut World, target: Timestamp) -> u64 {
    let restore = call(Action::Restore, target, Some("1"));
    let mut least = u64::MAX;
    for _ in 0..3 {
        let mut attempt = world.connector.perform(&restore, &world.recorder);
        let mut polls = 0;
        let done = poll_fn(|context| {
            polls += 1;
            attempt.as_mut().poll(context)
        })
        .await;
        drop(attempt);
        assert_eq!(done.unwrap().volume.rows, 3004);
        run(&mut world.live, DELETE).await;
        least = least.min(polls);
    }
    least
}

/// What a coordinator does next: it asks what became of a mark, and starts
/// again where nothing did. Returns whether the first attempt was in.
async fn take_up(world: &World, target: Timestamp) -> bool {
    let mark = world.recorder.marks.lock().unwrap().pop();
    if let Some(mark) = mark {
        match world.probe(target, "1", &mark).await {
            Probe::AsItShouldBe(_) => return true,
            Probe::NotYet => {}
            Probe::Unknown { why } => panic!("{why}"),
        }
    }
    world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap();
    false
}

async fn as_before(world: &mut World, before: &[String; 2], when: &str) {
    let now = [world.dump("s.id = 1").await, world.dump("s.id <> 1").await];
    assert!(now == *before, "{when}: the rows are others");
    run(&mut world.live, DELETE).await;
    world.recorder.marks.lock().unwrap().clear();
}

/// A fixed sequence of moments, spread over the whole.
fn moment(round: u64, polls: u64) -> u64 {
    let random = (round + 1).wrapping_mul(6_364_136_223_846_793_005) >> 33;
    // One moment in each part of the whole.
    (round * polls + random % polls) / ROUNDS
}

#[tokio::test]
async fn an_attempt_that_is_dropped_at_any_moment_is_repeated_to_the_same_end() {
    let (mut world, target, before) = deleted().await;
    let polls = undisturbed(&mut world, target).await;
    world.recorder.marks.lock().unwrap().clear();
    let restore = call(Action::Restore, target, Some("1"));
    let mut cut = 0;
    for round in 0..ROUNDS {
        let at = moment(round, polls);
        let mut attempt = world.connector.perform(&restore, &world.recorder);
        let ended = within(at, attempt.as_mut()).await;
        drop(attempt);
        match ended {
            Some(done) => drop(done.unwrap()),
            None => {
                cut += 1;
                take_up(&world, target).await;
            }
        }
        as_before(&mut world, &before, &format!("dropped after {at} polls")).await;
    }
    assert!(cut > ROUNDS / 2, "only {cut} attempts were cut off");
    world.connector.close().await;
}

/// Ends every session but the test's own, as an administrator would.
async fn kill_all(live: &mut MySqlConnection) -> usize {
    let sessions = "select cast(id as char) from information_schema.processlist
        where id <> connection_id() and user = 'root' and command <> 'Killed'";
    let rows = raw_sql(sessions).fetch_all(&mut *live).await.unwrap();
    for row in &rows {
        let id = String::from_utf8(row.get_unchecked::<Vec<u8>, _>(0)).unwrap();
        // It may have ended by itself meanwhile.
        let _ = raw_sql(AssertSqlSafe(format!("kill {id}")))
            .execute(&mut *live)
            .await;
    }
    rows.len()
}

#[tokio::test]
async fn a_session_that_is_killed_at_any_moment_is_temporary_and_the_repeat_is_whole() {
    let (mut world, target, before) = deleted().await;
    let polls = undisturbed(&mut world, target).await;
    world.recorder.marks.lock().unwrap().clear();
    let restore = call(Action::Restore, target, Some("1"));
    let (mut killed, mut failed) = (0, 0);
    for round in 0..ROUNDS {
        let at = moment(round, polls);
        let mut attempt = world.connector.perform(&restore, &world.recorder);
        let ended = match within(at, attempt.as_mut()).await {
            Some(done) => done,
            None => {
                killed += kill_all(&mut world.live).await;
                attempt.as_mut().await
            }
        };
        drop(attempt);
        if let Err(fault) = ended {
            failed += 1;
            assert_eq!(fault.kind, FaultKind::Temporary, "{fault:?}");
            take_up(&world, target).await;
        }
        as_before(&mut world, &before, &format!("killed after {at} polls")).await;
    }
    assert!(
        failed > ROUNDS / 4,
        "{killed} sessions were killed, {failed} attempts failed"
    );
    world.connector.close().await;
}

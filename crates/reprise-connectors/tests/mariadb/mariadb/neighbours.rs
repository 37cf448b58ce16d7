//! What a neighbour does in the midst of a restore.

use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use reprise_model::{Action, Fault, FaultKind, Outcome, Timestamp};
use reprise_ports::{Connector, Context, Progress};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::world::{Recorder, Server, World, call, run, text};

/// Does something when the rows are in, and before their parents are looked for.
struct BeforeTheCheck<F> {
    recorder: Recorder,
    act: F,
}

#[async_trait]
impl<F: Fn() + Send + Sync> Context for BeforeTheCheck<F> {
    fn progress(&self, progress: Progress) {
        if progress.phase.as_deref() == Some("checking foreign keys") {
            (self.act)();
        }
    }

    async fn mark(&self, mark: Value) -> Result<(), Fault> {
        self.recorder.mark(mark).await
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.recorder.token
    }
}

/// Site 1, which refers to a country, was deleted after T.
async fn deleted(server: Server) -> (World, Timestamp) {
    let mut world = World::on(server).await;
    world
        .commit_at(20, "delete from app.sites where id = 1")
        .await;
    let target = world.at(15.0);
    world.perform(Action::Recover, target, None).await.unwrap();
    (world, target)
}

async fn restore(
    world: &World,
    target: Timestamp,
    act: impl Fn() + Send + Sync,
) -> Result<Outcome, Fault> {
    let mut restore = call(Action::Restore, target, Some("1"));
    restore.with.insert("lock_timeout".to_owned(), json!("1s"));
    let context = BeforeTheCheck {
        recorder: Recorder::default(),
        act,
    };
    world.connector.perform(&restore, &context).await
}

#[tokio::test]
async fn a_neighbour_that_waits_for_us_is_not_ended_for_our_sake() {
    let (world, target) = deleted(Server::start(&[]).await).await;
    let mut neighbour = world.server.options(Some("app")).connect().await.unwrap();
    // The country that the site refers to, and then every row of a table.
    run(
        &mut neighbour,
        "begin; update countries set code = 'de' where code = 'de'",
    )
    .await;
    let loaded = Arc::new(Notify::new());
    let ready = Arc::clone(&loaded);
    let waiting = tokio::spawn(async move {
        ready.notified().await;
        run(
            &mut neighbour,
            "update issues set body = 'all' where kind is null",
        )
        .await;
        run(&mut neighbour, "commit").await;
    });
    let restored = restore(&world, target, || loaded.notify_one()).await;
    let fault = restored.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary, "{fault:?}");
    assert!(
        fault.message.contains("is changing rows of countries"),
        "{fault:?}"
    );
    waiting.await.expect("the neighbour goes on");
    restore(&world, target, || ()).await.unwrap();
    world.connector.close().await;
}

/// To a transaction such a server shows one old state of everything.
#[tokio::test]
async fn a_parent_that_went_away_meanwhile_is_missed_though_the_snapshot_has_it() {
    let server = Server::start(&["--binlog-format=STATEMENT"]).await;
    let (mut world, target) = deleted(server).await;
    let socket = world.server.data().join("s");
    let delete = || {
        let done = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "app", "--socket"])
            .arg(&socket)
            .arg("--execute=set foreign_key_checks = 0; delete from countries where code = 'de'")
            .status();
        assert!(done.unwrap().success());
    };
    let fault = restore(&world, target, delete).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary, "{fault:?}");
    let fault = restore(&world, target, || ()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault:?}");
    assert!(
        fault
            .message
            .contains("1 rows of sites refer by sites_ibfk_1 to rows of countries"),
        "{fault:?}"
    );
    let there = "select count(*) from app.sites where id = 1";
    assert_eq!(text(&mut world.live, there).await, "0");
    world.connector.close().await;
}

//! Backups in a pgBackRest repository.

use std::fs;

use reprise_model::{Backup, FaultKind};
use reprise_ports::Connector;

use super::origin::{Origin, micros, recover, rows};

const STANZA: &str = "main";

/// Makes the server archive into a repository of its own.
async fn repository(origin: &mut Origin) -> Backup {
    let config = origin.path("pgbackrest.conf");
    for name in ["repo", "lock", "spool"] {
        fs::create_dir(origin.path(name)).unwrap();
        origin.account.own(&origin.path(name)).unwrap();
    }
    origin.stop();
    let push = format!(
        "pgbackrest --config={} --stanza={STANZA} archive-push %p",
        config.display()
    );
    origin.start(&[("archive_command", &push)]);
    let server = origin.server.as_ref().unwrap();
    let (socket, port) = (server.socket_dir().display(), server.port());
    let root = origin.root.path().display();
    let text = format!(
        "[global]\nrepo1-path={root}/repo\nlock-path={root}/lock\nspool-path={root}/spool\n\
         log-level-file=off\nstart-fast=y\n[{STANZA}]\npg1-path={root}/data\npg1-port={port}\n\
         pg1-socket-path={socket}\npg1-user=postgres\n"
    );
    fs::write(&config, text).unwrap();
    run(origin, "stanza-create");
    Backup::PgBackRest {
        stanza: STANZA.into(),
        config: Some(config),
    }
}

fn run(origin: &Origin, command: &str) {
    let output = origin
        .account
        .command("pgbackrest")
        .arg(format!(
            "--config={}",
            origin.path("pgbackrest.conf").display()
        ))
        .arg(format!("--stanza={STANZA}"))
        .arg(command)
        .output()
        .unwrap_or_else(|error| panic!("pgbackrest: {error}; `make deps` installs it"));
    assert!(output.status.success(), "{command}: {output:?}");
}

#[tokio::test]
async fn a_shard_comes_back_from_a_repository_exactly_to_the_moment() {
    let mut origin = Origin::new(15).await;
    let backup = repository(&mut origin).await;
    let early = origin.commit(1).await;
    run(&origin, "backup");
    origin.sql("select pg_sleep(1.01)").await;
    let target = origin.commit(2).await;
    let after = origin.commit(3).await;
    // Archives the last segment and waits until it is in the repository.
    run(&origin, "check");
    let connector = origin.connector_with(Some(origin.url()), backup, None);
    let outcome = recover(&connector, target).await.unwrap();
    assert_eq!(rows(&connector, target).await, ["1", "2"]);
    let point = outcome.recovery_point.unwrap();
    assert_eq!(
        (point.point, point.last_before, point.first_after),
        (target, Some(target), Some(after))
    );
    connector.close().await;
    assert_eq!(rows(&connector, target).await, ["1", "2"], "started again");
    connector.close().await;

    let fault = recover(&connector, micros(early, -1)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.message.contains("first backup"), "{fault}");

    let wrong = Backup::PgBackRest {
        stanza: "elsewhere".into(),
        config: Some(origin.path("pgbackrest.conf")),
    };
    let connector = origin.connector_with(None, wrong, None);
    let fault = recover(&connector, target).await.unwrap_err();
    assert!(fault.message.contains("elsewhere"), "{fault}");
}

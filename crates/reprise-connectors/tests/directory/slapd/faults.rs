//! A server that is away, refuses the name, or refuses the right.

use reprise_model::{Action, FaultKind};
use reprise_ports::{Connector, Inspect, Level};

use super::server::{PASSWORD, Server};
use super::world::{accident, connector, perform, seed};

#[tokio::test]
async fn what_may_pass_is_told_from_what_will_not() {
    let mut server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    accident(&server);
    server.write_log();
    let before = server.dump(|_| true);

    let wrong = connector(&server, &server.url("cn=admin,dc=acme", "wrong"));
    let fault = perform(&wrong, Action::Restore, &target, "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("credentials"), "{}", fault.message);

    let reader = "uid=s2u1,ou=s2,ou=sites,dc=acme";
    let reads = connector(&server, &server.url(reader, "secret-s2u1"));
    let fault = perform(&reads, Action::Restore, &target, "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(
        fault.message.contains("refuses the right"),
        "{}",
        fault.message
    );
    assert_eq!(server.dump(|_| true), before);

    let admin = connector(&server, &server.admin());
    let inspect = Inspect {
        shard: "main".into(),
        target_time: Some(target.parse().unwrap()),
        sites: vec!["s1".into(), "s2".into()],
    };
    let found = admin.inspect(&inspect).await.findings;
    let level = |check: &str| found.iter().find(|f| f.check == check).map(|f| f.level);
    assert_eq!(level("connection"), Some(Level::Ok));
    assert_eq!(level("backup-reaches"), Some(Level::Ok));
    assert_eq!(level("in-the-way"), Some(Level::Warning));

    server.stop();
    let fault = perform(&admin, Action::Restore, &target, "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary);
    let shown = format!("{fault:?}");
    assert!(
        shown.contains("127.0.0.1") && !shown.contains(PASSWORD),
        "{shown}"
    );
}

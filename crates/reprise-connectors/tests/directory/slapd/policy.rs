//! A password policy's attributes: some are data, some only the server writes.

use reprise_model::Action;

use super::server::Server;
use super::world::{comes_back, connector, of_site, perform, seed, settled};

/// Not the root of the database, whom a policy does not bind.
const MANAGER: &str = "uid=s2u1,ou=s2,ou=sites,dc=acme";

fn without_times(dump: Vec<String>) -> Vec<String> {
    let times = ["pwdChangedTime", "pwdFailureTime", "pwdHistory"];
    let kept = |line: &&str| !times.iter().any(|time| line.starts_with(time));
    let entry = |entry: String| entry.lines().filter(kept).collect::<Vec<_>>().join("\n");
    dump.into_iter().map(entry).collect()
}

#[tokio::test]
async fn locks_resets_and_policies_come_back() {
    let rights = format!("access to * by dn.exact=\"{MANAGER}\" manage by * auth");
    let server = Server::with(&format!("{rights}\noverlay ppolicy"));
    seed(&server);
    let policy = "cn=strict,ou=s1,ou=sites,dc=acme";
    server.change(&format!(
        "dn: {policy}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: strict\n\
         pwdAttribute: userPassword\npwdMaxAge: 1000000\npwdLockout: TRUE\npwdMaxFailure: 1\n\
         pwdInHistory: 3\npwdMustChange: TRUE\n\n",
    ));
    let policy = format!("add: pwdPolicySubentry\npwdPolicySubentry: {policy}\n");
    let lock = "add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n";
    for (number, change) in [
        (1, policy.as_str()),
        (1, "replace: userPassword\nuserPassword: next\n"),
        (2, "add: pwdReset\npwdReset: TRUE\n"),
        (3, policy.as_str()),
        (3, lock),
        (4, policy.as_str()),
    ] {
        let dn = format!("uid=s1u{number},ou=s1,ou=sites,dc=acme");
        server.change(&format!("dn: {dn}\nchangetype: modify\n{change}\n"));
    }
    server.snapshot("a.ldif");
    let target = server.now();
    let locked = "uid=s1u3,ou=s1,ou=sites,dc=acme";
    assert!(!server.can_bind(locked, "secret-s1u3"));
    let then = without_times(settled(server.dump(of_site)));
    server.delete_tree("ou=s1,ou=sites,dc=acme");
    server.write_log();
    let connector = connector(&server, &server.url(MANAGER, "secret-s2u1"));
    comes_back(&connector, &target).await;
    assert_eq!(without_times(settled(server.dump(of_site))), then);
    assert!(!server.can_bind(locked, "secret-s1u3"), "it stays locked");

    // Wrong passwords lock an account for a while, which is nobody's change.
    let first = "uid=s1u1,ou=s1,ou=sites,dc=acme";
    assert!(!server.can_bind(first, "wrong"));
    assert_eq!(server.values(first, "pwdAccountLockedTime").len(), 1);
    comes_back(&connector, &target).await;

    // The policy makes what another one sets a password to be changed.
    let last = "uid=s1u4,ou=s1,ou=sites,dc=acme";
    server.change(&format!(
        "dn: {last}\nchangetype: modify\nreplace: userPassword\nuserPassword: newer\n\n"
    ));
    assert_eq!(server.values(last, "pwdReset"), ["TRUE"]);
    let with = r#"{"on_conflict": "replace"}"#;
    perform(&connector, Action::Restore, &target, with)
        .await
        .unwrap();
    perform(&connector, Action::Verify, &target, "{}")
        .await
        .unwrap_or_else(|f| panic!("{f:?}"));
    assert!(server.values(last, "pwdReset").is_empty());
}

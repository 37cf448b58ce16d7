//! People of several sites, of which some come back together, while others
//! write.

use reprise_connectors::ldap::LdapConnector;
use reprise_model::{Action, Fault, FaultKind, Outcome, Verdict};
use reprise_ports::{Call, Connector, Context};

use super::server::Server;
use super::world::{Meddler, Watcher, accident, call, comes_back, connector, perform, seed, user};

const ANN: &str = "uid=ann,ou=people,dc=acme";
const EDITORS: &str = "cn=editors,ou=groups,dc=acme";

fn members(how: &str, dn: &str) -> String {
    format!("dn: {EDITORS}\nchangetype: modify\n{how}: member\nmember: {dn}\n\n")
}

async fn of_batch(
    connector: &LdapConnector,
    action: Action,
    batch: &[&str],
    target: &str,
    with: &str,
) -> Result<Outcome, Fault> {
    let call = Call {
        companions: batch.iter().map(|id| (*id).into()).collect(),
        ..call(action, "s1", target, with)
    };
    connector.perform(&call, &Watcher::default()).await
}

#[tokio::test]
async fn memberships_of_people_of_several_sites_are_brought_back_or_named() {
    let server = Server::start();
    seed(&server);
    server.change(&members("add", ANN));
    server.snapshot("a.ldif");
    let target = server.now();
    accident(&server);
    server.change(&members("delete", ANN));
    server.write_log();
    let connector = connector(&server, &server.admin());
    for batch in [&[][..], &["s1"], &["s1", "s3"]] {
        of_batch(&connector, Action::Restore, batch, &target, "{}")
            .await
            .unwrap();
        let fault = of_batch(&connector, Action::Verify, batch, &target, "{}")
            .await
            .unwrap_err();
        assert!(fault.hint.unwrap().contains("undecided: add"));
        let check = fault.checks.last().unwrap();
        assert_eq!(check.name, "memberships-undecided");
        assert_eq!(check.verdict, Verdict::Unknown);
        assert_eq!(check.evidence["undecided_samples"][0]["member"], ANN);
        assert!(!server.values(EDITORS, "member").contains(&ANN.to_owned()));
    }
    // Or somebody decides: to leave it, which is told, or to bring it back.
    let leave = r#"{"undecided":"leave"}"#;
    let outcome = of_batch(&connector, Action::Verify, &[], &target, leave).await;
    let check = outcome.unwrap().checks.pop().unwrap();
    assert_eq!(check.verdict, Verdict::Pass);
    assert_eq!(check.evidence["undecided"], 1);
    let add = r#"{"undecided":"add"}"#;
    for (batch, with) in [(&["s1", "s2"][..], "{}"), (&[], add)] {
        of_batch(&connector, Action::Restore, batch, &target, with)
            .await
            .unwrap();
        assert!(server.values(EDITORS, "member").contains(&ANN.to_owned()));
        // Live has it now, so that there is nothing to decide.
        let outcome = of_batch(&connector, Action::Verify, &[], &target, "{}").await;
        let mut checks = outcome.unwrap().checks.into_iter();
        assert!(checks.all(|one| one.verdict == Verdict::Pass));
        server.change(&members("delete", ANN));
    }
}

/// Whose group it is, its other members say.
#[tokio::test]
async fn a_group_of_the_sites_people_alone_comes_back_whole() {
    let server = Server::start();
    seed(&server);
    let group = |name: &str, members: &[&str]| {
        let mut text =
            format!("dn: cn={name},ou=groups,dc=acme\nobjectClass: groupOfNames\ncn: {name}\n");
        for member in members {
            text += &format!("member: {member}\n");
        }
        text + "\n"
    };
    let own = "uid=s1u1,ou=s1,ou=sites,dc=acme";
    server.change(&(group("s1-admins", &[own, ANN]) + &group("anns", &[ANN])));
    server.snapshot("a.ldif");
    let target = server.now();
    accident(&server);
    for name in ["s1-admins", "anns"] {
        server.change(&format!(
            "dn: cn={name},ou=groups,dc=acme\nchangetype: delete\n\n"
        ));
    }
    server.write_log();
    let connector = connector(&server, &server.admin());
    of_batch(&connector, Action::Restore, &["s1"], &target, "{}")
        .await
        .unwrap();
    let members = server.values("cn=s1-admins,ou=groups,dc=acme", "member");
    assert_eq!(members, [ANN, own]);
    // This one may be anybody's of hers.
    let fault = of_batch(&connector, Action::Verify, &["s1"], &target, "{}").await;
    let check = fault.unwrap_err().checks.pop().unwrap();
    let samples = check.evidence["undecided_samples"].as_array().unwrap();
    assert_eq!(samples.len(), 1, "{samples:?}");
    assert_eq!(samples[0]["group"], "cn=anns,ou=groups,dc=acme");
}

#[tokio::test]
async fn a_class_that_allows_attributes_comes_back_with_them_and_credentials_do_not() {
    let server = Server::start();
    seed(&server);
    server.change(&format!(
        "dn: {ANN}\nchangetype: modify\nadd: objectClass\nobjectClass: posixAccount\n-\n\
         add: uidNumber\nuidNumber: 7\n-\nadd: gidNumber\ngidNumber: 7\n-\n\
         add: homeDirectory\nhomeDirectory: /h\n-\nadd: pwdReset\npwdReset: TRUE\n\n"
    ));
    server.snapshot("a.ldif");
    let target = server.now();
    accident(&server);
    server.change(&format!(
        "dn: {ANN}\nchangetype: modify\ndelete: objectClass\nobjectClass: posixAccount\n-\n\
         delete: uidNumber\n-\ndelete: gidNumber\n-\ndelete: homeDirectory\n-\n\
         delete: userPassword\n-\ndelete: pwdReset\n\n"
    ));
    server.write_log();
    comes_back(&connector(&server, &server.admin()), &target).await;
    assert_eq!(server.values(ANN, "uidNumber"), ["7"]);
    let classes = server.values(ANN, "objectClass");
    assert_eq!(classes, ["inetOrgPerson", "posixAccount"]);
    let ann = server.dump(|dn| dn == ANN).concat();
    assert!(!ann.contains("userPassword"), "{ann}");
    assert!(!ann.contains("pwdReset"), "{ann}");
}

/// Another site, at the same moment: the repeat finds what it did.
#[tokio::test]
async fn what_somebody_else_writes_meanwhile_is_compared_again() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let target = server.now();
    accident(&server);
    server.write_log();
    let connector = connector(&server, &server.admin());
    let bob = user("ou=people,dc=acme", "bob");
    let bob = format!("{}\ndepartmentNumber: s2\n\n", bob.trim_end());
    let member = members("add", "uid=s1u1,ou=s1,ou=sites,dc=acme");
    for (phase, change) in [("merging shared entries", bob), ("joining groups", member)] {
        let meddler = Meddler::new(phase, || server.change(&change));
        let work = call(Action::Restore, "s1", &target, "{}");
        let context: &dyn Context = &meddler;
        let fault = connector.perform(&work, context).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Temporary, "{fault}");
    }
    comes_back(&connector, &target).await;
    let bob = "uid=bob,ou=people,dc=acme";
    assert_eq!(server.values(bob, "departmentNumber"), ["s1", "s2"]);
    let outcome = perform(&connector, Action::Restore, &target, "{}").await;
    assert_eq!(outcome.unwrap().output["memberships"], 0);
}

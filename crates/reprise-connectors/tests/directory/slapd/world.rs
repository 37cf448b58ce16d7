//! Two sites, groups outside of them, shared people; and the connector.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reprise_connectors::ldap::{LdapConfig, LdapConnector, LdapShard};
use reprise_model::{
    Action, AttemptId, Directory, Fault, Outcome, RunId, SharedUsers, TaskIx, Timestamp,
};
use reprise_ports::{Call, CallSite, Connector, Context, Probe, Progress};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::server::Server;

pub const NEIGHBOUR: &str = "ou=s2,ou=sites,dc=acme";

pub fn user(dn: &str, uid: &str) -> String {
    format!(
        "dn: uid={uid},{dn}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid} Ü\nsn: {uid}\n\
         userPassword: secret-{uid}\ndescription: one\n\n"
    )
}

pub fn seed(server: &Server) {
    let mut text = String::from(
        "dn: dc=acme\nobjectClass: dcObject\nobjectClass: organization\no: acme\ndc: acme\n\n",
    );
    let unit =
        |dn: &str, ou: &str| format!("dn: {dn}\nobjectClass: organizationalUnit\nou: {ou}\n\n");
    for ou in ["sites", "groups", "people"] {
        text += &unit(&format!("ou={ou},dc=acme"), ou);
    }
    for site in ["s1", "s2"] {
        let base = format!("ou={site},ou=sites,dc=acme");
        text += &unit(&base, site);
        for number in 1..=4 {
            text += &user(&base, &format!("{site}u{number}"));
        }
    }
    for (uid, sites) in [("ann", &["s1", "s2"][..]), ("bob", &["s1"])] {
        text += user("ou=people,dc=acme", uid).trim_end();
        for site in sites {
            text += &format!("\ndepartmentNumber: {site}");
        }
        text += "\n\n";
    }
    text += "dn: cn=editors,ou=groups,dc=acme\nobjectClass: groupOfNames\ncn: editors\n\
             member: uid=s1u1,ou=s1,ou=sites,dc=acme\nmember: uid=s1u2,ou=s1,ou=sites,dc=acme\n\
             member: uid=s2u1,ou=s2,ou=sites,dc=acme\nmember: uid=bob,ou=people,dc=acme\n\n\
             dn: cn=unix,ou=groups,dc=acme\nobjectClass: posixGroup\ncn: unix\ngidNumber: 7\n\
             memberUid: s1u3\nmemberUid: s2u3\n\n";
    server.change(&text);
}

/// What an accident does: the subtree and all that named it.
pub fn accident(server: &Server) {
    server.delete_tree("ou=s1,ou=sites,dc=acme");
    server.change(
        "dn: cn=editors,ou=groups,dc=acme\nchangetype: modify\ndelete: member\n\
         member: uid=s1u1,ou=s1,ou=sites,dc=acme\nmember: uid=s1u2,ou=s1,ou=sites,dc=acme\n\
         member: uid=bob,ou=people,dc=acme\n\n\
         dn: cn=unix,ou=groups,dc=acme\nchangetype: modify\ndelete: memberUid\nmemberUid: s1u3\n\n\
         dn: uid=ann,ou=people,dc=acme\nchangetype: modify\ndelete: departmentNumber\n\
         departmentNumber: s1\n-\nreplace: description\ndescription: hers since\n\n\
         dn: uid=bob,ou=people,dc=acme\nchangetype: delete\n\n",
    );
}

pub fn of_site(dn: &str) -> bool {
    dn.ends_with("ou=s1,ou=sites,dc=acme")
}

/// Neither the server's stamps on whoever wrote last nor its numbers.
pub fn settled(dump: Vec<String>) -> Vec<String> {
    let stamps = ["entryCSN", "modifiersName", "creatorsName"];
    let kept = |line: &&str| !stamps.iter().any(|stamp| line.starts_with(stamp));
    let lines = |entry: String| {
        let mut lines: Vec<&str> = entry.lines().filter(kept).collect();
        lines.sort();
        lines.join("\n")
    };
    dump.into_iter().map(lines).collect()
}

pub fn connector(server: &Server, live: &str) -> LdapConnector {
    LdapConnector::new(LdapConfig {
        store: "people".into(),
        shards: vec![LdapShard {
            id: "main".into(),
            live: Some(live.to_owned().into()),
            snapshots: server.path("snapshots"),
            changes: server.path("changes.ldif"),
            scratch: Some(server.path("scratch")),
        }],
        tenant: Some(Directory {
            base: "ou={{ site.id }},ou=sites,dc=acme".into(),
            groups: Some("ou=groups,dc=acme".into()),
            member: ["member", "uniqueMember", "memberUid"]
                .map(str::to_owned)
                .into(),
            shared: Some(SharedUsers {
                base: "ou=people,dc=acme".into(),
                filter: "(departmentNumber={{ site.id }})".into(),
            }),
        }),
        render: Arc::new(|text: &str, site: &CallSite| {
            Ok(text.replace("{{ site.id }}", site.id.as_str()))
        }),
        scratch_root: server.path("scratch"),
        rpo: None,
    })
}

pub fn call(action: Action, site: &str, target: &str, with: &str) -> Call {
    let with: Map<String, Value> = serde_json::from_str(with).unwrap();
    Call {
        run: RunId::from("run"),
        attempt: AttemptId {
            task: TaskIx(0),
            number: 1,
        },
        task: "people/main".into(),
        idempotency_key: "key".into(),
        action,
        target_time: target.parse::<Timestamp>().unwrap(),
        site: Some(CallSite {
            id: site.into(),
            attributes: BTreeMap::new(),
        }),
        store: Some("people".into()),
        shard: Some("main".into()),
        companions: Arc::default(),
        with,
        outputs: BTreeMap::new(),
    }
}

/// Cancels at the progress of this number.
#[derive(Default)]
pub struct Watcher {
    pub token: CancellationToken,
    pub cancel_at: Option<usize>,
    pub seen: AtomicUsize,
}

#[async_trait]
impl Context for Watcher {
    fn progress(&self, _progress: Progress) {
        if Some(self.seen.fetch_add(1, Ordering::Relaxed)) == self.cancel_at {
            self.token.cancel();
        }
    }

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.token
    }
}

/// Somebody else, who acts once when a restore comes to a phase.
pub struct Meddler<'a> {
    pub phase: &'static str,
    pub act: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
    token: CancellationToken,
}

impl<'a> Meddler<'a> {
    pub fn new(phase: &'static str, act: impl FnOnce() + Send + 'a) -> Self {
        Self {
            phase,
            act: Mutex::new(Some(Box::new(act))),
            token: CancellationToken::new(),
        }
    }
}

#[async_trait]
impl Context for Meddler<'_> {
    fn progress(&self, progress: Progress) {
        if progress.phase.as_deref() == Some(self.phase)
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
    }

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.token
    }
}

pub async fn perform(
    connector: &LdapConnector,
    action: Action,
    target: &str,
    with: &str,
) -> Result<Outcome, Fault> {
    let call = call(action, "s1", target, with);
    connector.perform(&call, &Watcher::default()).await
}

/// Restores site `s1` and proves it, or panics with the evidence.
pub async fn comes_back(connector: &LdapConnector, target: &str) -> Outcome {
    let outcome = perform(connector, Action::Restore, target, "{}")
        .await
        .unwrap();
    perform(connector, Action::Verify, target, "{}")
        .await
        .unwrap_or_else(|f| panic!("{f:?}"));
    outcome
}

pub async fn is_done(connector: &LdapConnector, action: Action, target: &str) -> bool {
    let call = call(action, "s1", target, "{}");
    let probe = connector
        .probe(&call, None, &Watcher::default())
        .await
        .unwrap();
    matches!(probe, Probe::AsItShouldBe(_))
}

//! PostgreSQL: the contract on a private server, and the loss of the
//! connection that a claim lives on.

use std::ops::ControlFlow;

use futures::FutureExt;
use reprise_model::{Epoch, Seq};
use reprise_pgserver::{
    Account, Initdb, Installation, Lifetime, SearchPath, Server, ServerConfig, Stop, Tcp, initdb,
};
use reprise_ports::JournalError;
use sqlx::{Connection, Executor, PgConnection};
use std::time::Duration;

use crate::sample::{create, entries, owner};
use crate::suite;

struct Private {
    url: String,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Private {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let search = SearchPath {
            path: std::env::var_os("PATH"),
            deps: std::env::var_os("REPRISE_DEPS").map(Into::into),
            ..SearchPath::default()
        };
        let installation = Installation::find_all(&search)
            .into_iter()
            .next()
            .expect("a PostgreSQL is installed; `make deps` brings one");
        let data = folder.path().join("data");
        let account = Account::for_folder(None)
            .and_then(|account| account.reaching(&[&data]))
            .unwrap();
        account.own(folder.path()).unwrap();
        initdb(&installation, &account, &data, &Initdb::default()).unwrap();
        let mut server = Server::start(&ServerConfig {
            installation,
            account,
            data,
            temp: folder.path().to_owned(),
            tcp: Tcp::AnyPort,
            log: folder.path().join("log"),
            lifetime: Lifetime::Attached,
            config_file: None,
            settings: Vec::new(),
        })
        .unwrap();
        server
            .wait_until_accepting(Duration::from_secs(30), &|| false)
            .unwrap();
        let url = format!(
            "postgres://postgres:hidden@127.0.0.1:{}/postgres",
            server.port()
        );
        Self {
            url,
            server,
            _folder: folder,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_holds_the_contract() {
    let mut private = Private::start();
    let url = private.url.clone();
    let open = || {
        let url = url.clone();
        async move { reprise_journal::open(&url).await.unwrap() }.boxed()
    };
    suite::hold(&open).await;
    a_lost_connection_ends_the_claim(&url).await;
    damage_is_named_with_its_place(&url).await;
    only_a_breaking_future_is_refused(&url).await;
    private.server.stop(Stop::Immediate).unwrap();
    a_server_that_is_gone_is_named_without_its_password(&url).await;
}

async fn a_lost_connection_ends_the_claim(url: &str) {
    let journal = reprise_journal::open(url).await.unwrap();
    let run = create(&*journal, "lost", 1).await.unwrap();
    let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
    journal
        .append(&run, &mut claim, &entries(0..3))
        .await
        .unwrap();
    let mut administrator = PgConnection::connect(url).await.unwrap();
    administrator
        .execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
        .await
        .unwrap();
    for _ in 0..2 {
        let refused = journal.append(&run, &mut claim, &entries(3..4)).await;
        assert!(
            matches!(&refused, Err(JournalError::Unusable { .. })),
            "{refused:?}"
        );
    }
    let other = reprise_journal::open(url).await.unwrap();
    let mut taken = other.claim(&run, &owner(2)).await.unwrap();
    assert_eq!((taken.epoch, taken.next), (Epoch(2), Seq(3)));
    let refused = journal.append(&run, &mut claim, &entries(3..4)).await;
    assert!(
        matches!(&refused, Err(JournalError::Superseded { .. })),
        "{refused:?}"
    );
    other
        .append(&run, &mut taken, &entries(3..4))
        .await
        .unwrap();
    assert_eq!(journal.read_all(&run, Seq(0)).await.unwrap(), entries(0..4));
}

async fn damage_is_named_with_its_place(url: &str) {
    let journal = reprise_journal::open(url).await.unwrap();
    let run = create(&*journal, "damage", 1).await.unwrap();
    let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
    journal
        .append(&run, &mut claim, &entries(0..3))
        .await
        .unwrap();
    journal
        .append(&run, &mut claim, &entries(3..6))
        .await
        .unwrap();
    let mut raw = PgConnection::connect(url).await.unwrap();
    raw.execute(
        "update reprise.pages set body = replace(body, '\"number\":1', '\"number\":2') \
         where run = 'damage' and first_seq = 3",
    )
    .await
    .unwrap();
    let read = journal.read_all(&run, Seq(0)).await;
    assert!(
        matches!(&read, Err(JournalError::Corrupt { seq: Seq(3), .. })),
        "{read:?}"
    );
    // Whole again, and a page past the run's own record.
    raw.execute(
        "update reprise.pages set body = replace(body, '\"number\":2', '\"number\":1') \
         where run = 'damage'",
    )
    .await
    .unwrap();
    raw.execute(
        "insert into reprise.pages (run, first_seq, last_seq, epoch, hash, body) \
         select run, 6, 8, epoch, hash, left(body, 20) \
         from reprise.pages where run = 'damage' and first_seq = 3",
    )
    .await
    .unwrap();
    let mut nothing = |_| ControlFlow::Continue(());
    let verified = journal.read(&run, Seq(0), &mut nothing).await.unwrap();
    assert_eq!((verified.next, verified.torn), (Seq(6), 1));
    journal.release(&run, &claim).await;
    let mut claim = journal.claim(&run, &owner(2)).await.unwrap();
    assert_eq!(journal.cut_torn(&run, &claim).await.unwrap(), 1);
    let page = entries(6..7);
    journal.append(&run, &mut claim, &page).await.unwrap();
    let verified = journal.read(&run, Seq(0), &mut nothing).await.unwrap();
    assert_eq!((verified.next, verified.torn), (Seq(7), 0));
}

async fn only_a_breaking_future_is_refused(url: &str) {
    let mut raw = PgConnection::connect(url).await.unwrap();
    raw.execute(
        "insert into reprise._sqlx_migrations
             (version, description, success, checksum, execution_time)
         values (900, 'an added table', true, '\\x00', 0)",
    )
    .await
    .unwrap();
    reprise_journal::open(url).await.unwrap();
    raw.execute(
        "update reprise._sqlx_migrations set description = 'breaking it' where version = 900",
    )
    .await
    .unwrap();
    let opened = reprise_journal::open(url).await.map(drop);
    assert!(
        matches!(
            opened,
            Err(JournalError::Newer {
                found: 900,
                known: 3
            })
        ),
        "{opened:?}"
    );
}

async fn a_server_that_is_gone_is_named_without_its_password(url: &str) {
    let Err(error) = reprise_journal::open(url).await else {
        panic!("nobody answers");
    };
    let text = format!("{error} {error:?}");
    assert!(text.contains("postgres://postgres@127.0.0.1:"), "{text}");
    assert!(!text.contains("hidden"), "{text}");
}

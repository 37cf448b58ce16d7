//! What is particular to SQLite: files, rights, damage, versions.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use futures::FutureExt;
use reprise_model::{Command, RunId, Seq, Timestamp};
use reprise_ports::JournalError;
use sqlx::{Connection, Executor, SqliteConnection};

use crate::sample::{create, entries, owner, plan};
use crate::suite;

async fn raw(path: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", path.display());
    SqliteConnection::connect(&url).await.unwrap()
}

/// A journal with one run of three pages, closed again.
async fn filled(path: &Path) -> RunId {
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let run = create(&*journal, "filled", 1).await.unwrap();
    let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
    for page in [0..10, 10..20, 20..30] {
        journal
            .append(&run, &mut claim, &entries(page))
            .await
            .unwrap();
    }
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_holds_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("journal.db").display());
    let open = || {
        let url = url.clone();
        async move { reprise_journal::open(&url).await.unwrap() }.boxed()
    };
    suite::hold(&open).await;
}

#[tokio::test]
async fn the_file_and_its_folder_are_created_for_this_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/journal.db");
    filled(&path).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn a_link_to_the_file_does_not_lead_around_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (
        folder.path().join("journal.db"),
        folder.path().join("link.db"),
    );
    let run = filled(&path).await;
    symlink(&path, &link).unwrap();
    let one = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let two = reprise_journal::open(link.to_str().unwrap()).await.unwrap();
    let claim = one.claim(&run, &owner(1)).await.unwrap();
    let refused = two.claim(&run, &owner(2)).await;
    assert!(
        matches!(refused, Err(JournalError::Alive { .. })),
        "{refused:?}"
    );
    one.release(&run, &claim).await;
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".lock"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "released locks leave no file");
}

#[tokio::test]
async fn every_kind_of_damage_is_named_with_its_place() {
    let check = async |damage: &'static str, expect_seq: u64, expect: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let run = filled(&path).await;
        raw(&path).await.execute(damage).await.unwrap();
        let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
        // Even when only the end is asked for.
        match journal.read_all(&run, Seq(29)).await {
            Err(JournalError::Corrupt { seq, what, .. }) => {
                assert_eq!(seq, Seq(expect_seq), "{damage}: {what}");
                assert!(what.contains(expect), "{damage}: {what}");
            }
            other => panic!("{damage}: {other:?}"),
        }
    };
    check(
        "update pages set body = replace(body, '\"number\":1', '\"number\":2') where first_seq = 10",
        10,
        "hashes to",
    )
    .await;
    check(
        "update pages set hash = zeroblob(32) where first_seq = 0",
        0,
        "hashes to",
    )
    .await;
    check(
        "update pages set hash = x'00' where first_seq = 20",
        20,
        "1 bytes",
    )
    .await;
    check(
        "delete from pages where first_seq = 10",
        10,
        "starts at entry 20",
    )
    .await;
    check(
        "delete from pages where first_seq = 20",
        20,
        "the run's record at 30",
    )
    .await;
    check(
        "update pages set epoch = 0 where first_seq = 20",
        20,
        "epoch 0",
    )
    .await;
    check(
        "update pages set last_seq = 5 where first_seq = 10",
        10,
        "ends before",
    )
    .await;
    check(
        "update runs set head = zeroblob(32)",
        30,
        "the run's record",
    )
    .await;
}

/// A page past the run's own record: its append was never answered.
#[tokio::test]
async fn a_torn_tail_is_left_out_and_can_be_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let run = filled(&path).await;
    let torn = "insert into pages (run, first_seq, last_seq, epoch, hash, body)
                select run, 30, 39, epoch, hash, substr(body, 1, 50)
                from pages where first_seq = 20";
    raw(&path).await.execute(torn).await.unwrap();
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let mut nothing = |_| ControlFlow::Continue(());
    let verified = journal.read(&run, Seq(0), &mut nothing).await.unwrap();
    assert_eq!((verified.next, verified.torn), (Seq(30), 1));
    assert_eq!(
        journal.read_all(&run, Seq(0)).await.unwrap(),
        entries(0..30)
    );
    let mut claim = journal.claim(&run, &owner(2)).await.unwrap();
    assert_eq!((claim.next, claim.head), (Seq(30), verified.head));
    assert_eq!(journal.cut_torn(&run, &claim).await.unwrap(), 1);
    let page = entries(30..31);
    journal.append(&run, &mut claim, &page).await.unwrap();
    let verified = journal.read(&run, Seq(0), &mut nothing).await.unwrap();
    assert_eq!((verified.next, verified.torn), (Seq(31), 0));
}

/// Pages that the run's record vouches for are never cut, whatever is left of them.
#[tokio::test]
async fn a_page_within_the_record_is_never_taken_for_a_torn_tail() {
    let damages = [
        "update pages set body = substr(body, 1, 50) where first_seq = 20",
        "update pages set body = '' where first_seq = 20",
        "update pages set last_seq = 35 where first_seq = 20",
        "delete from pages where first_seq = 20",
        "delete from pages",
        "update pages set first_seq = 31 where first_seq = 20",
    ];
    for damage in damages {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let run = filled(&path).await;
        raw(&path).await.execute(damage).await.unwrap();
        let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
        for _ in 0..2 {
            let read = journal.read_all(&run, Seq(0)).await;
            assert!(
                matches!(read, Err(JournalError::Corrupt { .. })),
                "{damage}: {read:?}"
            );
            // A claim must not make it look whole.
            let claim = journal.claim(&run, &owner(2)).await.unwrap();
            journal.release(&run, &claim).await;
        }
    }
}

/// Wherever the file is cut short or overwritten: refused with its name when
/// it is opened, or with run and entry when it is read, or nothing of the
/// journal was lost. Never fewer entries than there were.
#[tokio::test]
async fn a_damaged_file_is_never_read_as_a_shorter_journal() {
    const BLOCK: usize = 16_384;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let run = filled(&path).await;
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let mut claim = journal.claim(&run, &owner(2)).await.unwrap();
    let large = entries(30..3_000);
    journal.append(&run, &mut claim, &large).await.unwrap();
    drop(journal);
    let mut connection = raw(&path).await;
    let out_of_the_wal = "pragma wal_checkpoint(truncate)";
    connection.execute(out_of_the_wal).await.unwrap();
    connection.close().await.unwrap();
    let whole = fs::read(&path).unwrap();
    let mut named = 0;
    for at in (0..whole.len()).step_by(BLOCK).skip(1) {
        let mut blank = whole.clone();
        let end = whole.len().min(at + BLOCK);
        blank[at..end].fill(0xff);
        for damaged in [&whole[..at], &blank] {
            let file = folder.path().join(format!("{at}-{}.db", damaged.len()));
            fs::write(&file, damaged).unwrap();
            let journal = match reprise_journal::open(file.to_str().unwrap()).await {
                Err(JournalError::Unusable { .. }) => continue,
                Err(other) => panic!("at {at}: {other:?}"),
                Ok(journal) => journal,
            };
            match journal.read_all(&run, Seq(0)).await {
                Err(JournalError::Corrupt { .. }) => named += 1,
                Err(JournalError::Unusable { .. }) => {}
                Ok(read) => assert_eq!(read, entries(0..3_000), "at {at}"),
                Err(other) => panic!("at {at}: {other:?}"),
            }
        }
    }
    assert!(named > 0, "some damage is met while reading");
}

#[tokio::test]
async fn a_changed_plan_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let run = filled(&path).await;
    let damage = "update plans set body = replace(body, 'estate.yaml', 'other.yaml')";
    raw(&path).await.execute(damage).await.unwrap();
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let plan = journal.plan(&run).await;
    assert!(
        matches!(plan, Err(JournalError::Corrupt { .. })),
        "{plan:?}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_a_journal_is_refused_with_its_name() {
    let check = async |prepare: &dyn Fn(&Path), expect: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        filled(&path).await;
        // Out of the WAL, into the file.
        let mut connection = raw(&path).await;
        connection
            .execute("pragma wal_checkpoint(truncate)")
            .await
            .unwrap();
        connection.close().await.unwrap();
        prepare(&path);
        let opened = reprise_journal::open(path.to_str().unwrap()).await;
        match opened.map(drop) {
            Err(JournalError::Unusable { place, what }) => {
                assert_eq!(place, path.display().to_string());
                assert!(what.contains(expect), "{what}");
            }
            other => panic!("{expect}: {other:?}"),
        }
    };
    let text = "once upon a time there was a file ".repeat(100);
    check(
        &|path| fs::write(path, &text).unwrap(),
        "not an SQLite database",
    )
    .await;
    check(
        &|path| {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(8192).unwrap();
        },
        "damaged or cut off",
    )
    .await;
    check(
        &|path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        "cannot be opened",
    )
    .await;
    let nowhere = "/dev/null/journal.db";
    let opened = reprise_journal::open(nowhere).await.map(drop);
    assert!(
        matches!(&opened, Err(JournalError::Unusable { place, .. }) if place == nowhere),
        "{opened:?}"
    );
}

/// Root may write anywhere, so for root only the file's own mark is tested.
#[tokio::test]
async fn a_folder_without_rights_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let read_only = fs::Permissions::from_mode(0o500);
    fs::set_permissions(folder.path(), read_only).unwrap();
    let may_write = fs::write(folder.path().join("probe"), "").is_ok();
    let path = folder.path().join("journal.db");
    let opened = reprise_journal::open(path.to_str().unwrap())
        .await
        .map(drop);
    match (may_write, opened) {
        (true, Ok(())) => {}
        (false, Err(JournalError::Unusable { place, what })) => {
            assert_eq!(place, path.display().to_string());
            assert!(what.contains("ermission denied"), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_written_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let run = filled(&path).await;
    let mut connection = raw(&path).await;
    let fail = "create trigger room before insert on pages begin \
                select raise(abort, 'no room today'); end";
    connection.execute(fail).await.unwrap();
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let mut claim = journal.claim(&run, &owner(2)).await.unwrap();
    let before = claim;
    let error = journal.append(&run, &mut claim, &entries(30..31)).await;
    assert!(
        matches!(&error, Err(JournalError::Unusable { what, .. }) if what.contains("no room today")),
        "{error:?}"
    );
    assert_eq!(claim, before);
    assert_eq!(journal.read_all(&run, Seq(0)).await.unwrap().len(), 30);
    connection.execute("drop trigger room").await.unwrap();
    journal
        .append(&run, &mut claim, &entries(30..31))
        .await
        .unwrap();
    assert_eq!(journal.read_all(&run, Seq(0)).await.unwrap().len(), 31);
}

#[tokio::test]
async fn nothing_is_recorded_in_a_file_that_was_deleted_or_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let run = filled(&path).await;
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let mut claim = journal.claim(&run, &owner(2)).await.unwrap();
    let aside = folder.path().join("aside.db");
    for replace in [false, true] {
        fs::rename(&path, &aside).unwrap();
        if replace {
            fs::write(&path, "another file").unwrap();
        }
        let error = journal.append(&run, &mut claim, &entries(30..31)).await;
        assert!(
            matches!(&error, Err(JournalError::Unusable { what, .. }) if what.contains("deleted or replaced")),
            "{error:?}"
        );
        fs::rename(&aside, &path).unwrap();
    }
    journal
        .append(&run, &mut claim, &entries(30..31))
        .await
        .unwrap();
}

#[tokio::test]
async fn only_a_breaking_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let run = filled(&path).await;
    let future = |version: u32, text: &str| {
        sqlx::AssertSqlSafe(format!(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values ({version}, '{text}', true, x'00', 0)"
        ))
    };
    let mut connection = raw(&path).await;
    connection
        .execute(future(900, "an added table"))
        .await
        .unwrap();
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    assert_eq!(journal.read_all(&run, Seq(0)).await.unwrap().len(), 30);
    connection
        .execute(future(901, "breaking other pages"))
        .await
        .unwrap();
    let opened = reprise_journal::open(path.to_str().unwrap())
        .await
        .map(drop);
    assert!(
        matches!(
            opened,
            Err(JournalError::Newer {
                found: 901,
                known: 3
            })
        ),
        "{opened:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_create_the_file_at_once() {
    // The moment in which one switches the file to the WAL while another reads
    // it is short: each new file is one more chance to hit it.
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db").display().to_string();
        let opening: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move { reprise_journal::open(&path).await.map(drop) })
            })
            .collect();
        for one in opening {
            one.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_journal_of_the_first_version_is_read_and_takes_a_second_plan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let run = filled(&path).await;
    let mut connection = raw(&path).await;
    connection
        .execute("drop table later_plans; drop table summaries; delete from _sqlx_migrations where version > 1")
        .await
        .unwrap();
    connection.close().await.unwrap();
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    assert_eq!(journal.plan(&run).await.unwrap(), plan());
    let mut claim = journal.claim(&run, &owner(2)).await.unwrap();
    let page = entries(30..31);
    journal
        .replan(&run, &mut claim, &plan(), &page)
        .await
        .unwrap();
    assert_eq!(journal.plans(&run).await.unwrap().all().count(), 1);
    assert_eq!(journal.read_all(&run, Seq(0)).await.unwrap().len(), 31);
}

/// An append that is dropped half-way may be durable or not, but what is
/// written after it must be: it must not land in a transaction left open.
#[tokio::test]
async fn what_is_written_after_an_append_that_was_cut_off_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let run = filled(&path).await;
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let mut claim = journal.claim(&run, &owner(2)).await.unwrap();
    for polls in 1..40 {
        let next = claim.next.0;
        let mut cut_off = claim;
        let entries = entries(next..next + 1);
        let mut append = Box::pin(journal.append(&run, &mut cut_off, &entries));
        for _ in 0..polls {
            if futures::poll!(append.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(append);
        let by = "ann".to_owned();
        let at = Timestamp::from_micros(0);
        journal
            .post(&run, &Command::Pause { by }, at)
            .await
            .unwrap();
        let other = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
        assert_eq!(other.inbox(&run, 0).await.unwrap().len(), polls);
        let mut sink = |_: Vec<_>| std::ops::ControlFlow::Continue(());
        let found = other.read(&run, Seq(0), &mut sink).await.unwrap();
        (claim.next, claim.head) = (found.next, found.head);
    }
}

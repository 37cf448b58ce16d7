//! What every journal must do. Each case makes runs of its own, so that all
//! of them share one store as they would in life.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures::future::BoxFuture;
use reprise_model::{Command, Entry, Epoch, RunId, Seq, Timestamp};
use reprise_ports::{Journal, JournalError, OwnerState, Summarised, Summary, Verified};

use crate::replan;
use crate::sample::{create, entries, entry, owner, plan};

/// Another coordinator's handle on the same store; dropped, it is dead.
pub type Open<'a> = &'a (dyn Fn() -> BoxFuture<'static, Arc<dyn Journal>> + Sync);

pub async fn hold(open: Open<'_>) {
    what_is_appended_is_read(open).await;
    pages_come_one_by_one_until_the_sink_has_enough(open).await;
    a_seq_that_does_not_follow_is_refused(open).await;
    one_coordinator_at_a_time(open).await;
    a_released_run_has_a_new_epoch(open).await;
    a_summary_is_its_owners_newest(open).await;
    commands_come_out_in_order(open).await;
    runs_are_listed_newest_first(open).await;
    what_is_not_there_is_said(open).await;
    readers_see_whole_pages_beside_a_writer(open).await;
    replan::hold(open).await;
}

async fn what_is_appended_is_read(open: Open<'_>) {
    let journal = open().await;
    let run = create(&*journal, "append", 1).await.unwrap();
    let empty = journal.head(&run).await.unwrap();
    let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
    assert_eq!((claim.next, claim.head), (Seq(0), empty));
    for page in [0..1, 1..4, 4..300] {
        journal
            .append(&run, &mut claim, &entries(page))
            .await
            .unwrap();
    }
    journal.append(&run, &mut claim, &[]).await.unwrap();
    assert_eq!(claim.next, Seq(300));
    assert_eq!(journal.head(&run).await.unwrap(), claim.head);

    let other = open().await;
    for from in [0, 1, 3, 4, 5, 299, 300, 1000] {
        let read = other.read_all(&run, Seq(from)).await.unwrap();
        assert_eq!(read, entries(from.min(300)..300), "from {from}");
    }
    assert_eq!(other.plan(&run).await.unwrap(), plan());
}

async fn pages_come_one_by_one_until_the_sink_has_enough(open: Open<'_>) {
    let journal = open().await;
    let run = create(&*journal, "streamed", 1).await.unwrap();
    let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
    let mut heads = Vec::new();
    for page in [0..1, 1..4, 4..300] {
        let page = entries(page);
        journal.append(&run, &mut claim, &page).await.unwrap();
        heads.push(claim.head);
    }
    let read = async |from: u64, pages: usize| {
        let mut read = Vec::new();
        let mut sink = |entries: Vec<Entry>| {
            read.push(entries);
            match read.len() < pages {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let verified = journal.read(&run, Seq(from), &mut sink).await.unwrap();
        (read, verified)
    };
    let at = |next, page: usize| Verified {
        next: Seq(next),
        head: heads[page],
        torn: 0,
    };
    let all = vec![entries(0..1), entries(1..4), entries(4..300)];
    assert_eq!(read(0, 9).await, (all.clone(), at(300, 2)));
    assert_eq!(read(0, 2).await, (all[..2].to_vec(), at(4, 1)));
    assert_eq!(read(3, 1).await, (vec![entries(3..4)], at(4, 1)));
    assert_eq!(read(u64::MAX, 1).await, (vec![], at(300, 2)));
}

async fn a_seq_that_does_not_follow_is_refused(open: Open<'_>) {
    let journal = open().await;
    let run = create(&*journal, "out-of-step", 1).await.unwrap();
    let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
    let head = claim.head;
    for wrong in [vec![entry(1)], vec![entry(0), entry(2)]] {
        let refused = journal.append(&run, &mut claim, &wrong).await;
        assert!(
            matches!(refused, Err(JournalError::OutOfStep { .. })),
            "{refused:?}"
        );
    }
    // A claim that lags behind the journal, as after a lost answer.
    let mut behind = claim;
    journal
        .append(&run, &mut claim, &entries(0..2))
        .await
        .unwrap();
    let refused = journal.append(&run, &mut behind, &entries(0..1)).await;
    assert!(
        matches!(
            refused,
            Err(JournalError::OutOfStep {
                ours: Seq(0),
                theirs: Seq(2),
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!((behind.next, behind.head), (Seq(0), head));
    let read = journal.read_all(&run, Seq(0)).await.unwrap();
    assert_eq!(read, entries(0..2), "nothing of it was written");
}

async fn one_coordinator_at_a_time(open: Open<'_>) {
    let first = open().await;
    let run = create(&*first, "fencing", 1).await.unwrap();
    let mut old = first.claim(&run, &owner(11)).await.unwrap();
    first.append(&run, &mut old, &entries(0..1)).await.unwrap();

    let second = open().await;
    match second.claim(&run, &owner(22)).await {
        Err(JournalError::Alive { owner, .. }) => {
            assert_eq!((owner.pid, owner.epoch), (11, Epoch(1)));
        }
        other => panic!("the first one is alive: {other:?}"),
    }
    drop(first);
    let mut new = second.claim(&run, &owner(22)).await.unwrap();
    assert_eq!(
        (new.epoch, new.next, new.head),
        (Epoch(2), Seq(1), old.head)
    );

    // What the first one still believes in does not help it.
    let revenant = open().await;
    for journal in [&revenant, &second] {
        let refused = journal.append(&run, &mut old, &entries(1..2)).await;
        assert!(
            matches!(
                refused,
                Err(JournalError::Superseded {
                    ours: Epoch(1),
                    theirs: Epoch(2),
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    second.append(&run, &mut new, &entries(1..3)).await.unwrap();
    assert_eq!(
        revenant.read_all(&run, Seq(0)).await.unwrap(),
        entries(0..3)
    );
}

async fn a_released_run_has_a_new_epoch(open: Open<'_>) {
    let (first, second) = (open().await, open().await);
    let run = create(&*first, "release", 1).await.unwrap();
    let mut claim = first.claim(&run, &owner(1)).await.unwrap();
    first
        .append(&run, &mut claim, &entries(0..1))
        .await
        .unwrap();
    first.release(&run, &claim).await;
    let refused = first.append(&run, &mut claim, &entries(1..2)).await;
    assert!(
        matches!(refused, Err(JournalError::Unusable { .. })),
        "{refused:?}"
    );
    let next = second.claim(&run, &owner(2)).await.unwrap();
    assert_eq!(next.epoch, Epoch(2));
    // A late release of the old claim does not take the new one away.
    second.release(&run, &claim).await;
    first.release(&run, &claim).await;
    let refused = first.claim(&run, &owner(1)).await;
    assert!(
        matches!(refused, Err(JournalError::Alive { .. })),
        "{refused:?}"
    );
    second.release(&run, &next).await;
    assert_eq!(first.claim(&run, &owner(1)).await.unwrap().epoch, Epoch(3));
}

async fn commands_come_out_in_order(open: Open<'_>) {
    let (coordinator, operator) = (open().await, open().await);
    let run = create(&*coordinator, "inbox", 1).await.unwrap();
    let mut claim = coordinator.claim(&run, &owner(1)).await.unwrap();
    let at = Timestamp::from_micros(5);
    let command = |number: u64| Command::Pause {
        by: format!("operator {number}"),
    };
    for number in 1..=3 {
        let posted = operator.post(&run, &command(number), at).await.unwrap();
        assert_eq!(posted, number);
        coordinator
            .append(&run, &mut claim, &entries(number - 1..number))
            .await
            .unwrap();
    }
    let all = coordinator.inbox(&run, 0).await.unwrap();
    let expect: Vec<_> = (1..=3).map(|number| (number, command(number))).collect();
    assert_eq!(all, expect);
    assert_eq!(coordinator.inbox(&run, 2).await.unwrap(), expect[2..]);
    assert_eq!(coordinator.inbox(&run, 3).await.unwrap(), []);

    // Posted at once, each has a number of its own.
    let posts = (4..12).map(|number| {
        let (journal, run) = (operator.clone(), run.clone());
        tokio::spawn(async move { journal.post(&run, &command(number), at).await.unwrap() })
    });
    let mut numbers = Vec::new();
    for post in posts.collect::<Vec<_>>() {
        numbers.push(post.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (4..12).collect::<Vec<_>>());
}

async fn runs_are_listed_newest_first(open: Open<'_>) {
    let journal = open().await;
    for (id, created) in [("list-b", 2000), ("list-c", 3000), ("list-a", 2000)] {
        create(&*journal, id, created).await.unwrap();
    }
    let claimed = RunId::from("list-b");
    let claim = journal.claim(&claimed, &owner(7)).await.unwrap();
    let watcher = open().await;
    let listed = || async {
        let runs = watcher.runs().await.unwrap();
        let ours = runs
            .into_iter()
            .filter(|r| r.id.as_str().starts_with("list-"));
        ours.map(|run| (run.id.to_string(), run.owner))
            .collect::<Vec<_>>()
    };
    let mut alive = owner(7);
    alive.epoch = Epoch(1);
    let rows = |owner: OwnerState| {
        vec![
            ("list-c".to_owned(), OwnerState::Free),
            ("list-b".to_owned(), owner),
            ("list-a".to_owned(), OwnerState::Free),
        ]
    };
    assert_eq!(listed().await, rows(OwnerState::Alive(alive)));
    journal.release(&claimed, &claim).await;
    assert_eq!(listed().await, rows(OwnerState::Free));
    let row = watcher.runs().await.unwrap();
    let row = row.iter().find(|row| row.id == claimed).unwrap();
    assert_eq!(
        (row.plan_hash, row.target_time, row.created, row.sites),
        (
            plan().hash,
            plan().target_time,
            Timestamp::from_micros(2000),
            0
        )
    );
    assert_eq!(row.env_file.as_deref(), Some("prod.env"));
}

async fn a_summary_is_its_owners_newest(open: Open<'_>) {
    let journal = open().await;
    let run = create(&*journal, "summed-up", 1).await.unwrap();
    let none = Summarised {
        journal_at: Seq(0),
        summary: None,
    };
    assert_eq!(journal.summary(&run).await.unwrap(), none);
    let of = |next: u64, body: &str| Summary {
        next: Seq(next),
        at: Timestamp::from_micros(1_700_000_000_000_123),
        body: body.to_owned(),
    };
    let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
    let page = entries(0..3);
    journal.append(&run, &mut claim, &page).await.unwrap();
    let head = journal.head(&run).await.unwrap();
    for summary in [of(1, "{}"), of(3, "{\"state\":\"r\u{e9}sum\u{e9}\"}")] {
        let written = journal.summarise(&run, claim.epoch, &summary).await;
        written.unwrap();
        let found = Summarised {
            journal_at: Seq(3),
            summary: Some(summary),
        };
        assert_eq!(open().await.summary(&run).await.unwrap(), found);
    }
    let kept = journal.summary(&run).await.unwrap();
    journal.release(&run, &claim).await;
    let new = journal.claim(&run, &owner(2)).await.unwrap();
    let late = of(2, "from an owner that was taken over");
    journal.summarise(&run, claim.epoch, &late).await.unwrap();
    assert_eq!(journal.summary(&run).await.unwrap(), kept);
    let by_new = of(3, "new");
    journal.summarise(&run, new.epoch, &by_new).await.unwrap();
    let found = journal.summary(&run).await.unwrap();
    assert_eq!(found.summary, Some(by_new));
    // Shown, never part of what is proved.
    assert_eq!(journal.head(&run).await.unwrap(), head);
    assert_eq!(journal.read_all(&run, Seq(0)).await.unwrap(), page);
}

async fn what_is_not_there_is_said(open: Open<'_>) {
    let journal = open().await;
    let run = RunId::from("no/such run");
    let at = Timestamp::from_micros(0);
    let command = Command::Continue {
        by: "me".to_owned(),
    };
    let errors = [
        journal.plan(&run).await.map(drop),
        journal.plans(&run).await.map(drop),
        journal.claim(&run, &owner(1)).await.map(drop),
        journal.read_all(&run, Seq(0)).await.map(drop),
        journal.head(&run).await.map(drop),
        journal.summary(&run).await.map(drop),
        journal.post(&run, &command, at).await.map(drop),
    ];
    for error in errors {
        assert!(
            matches!(error, Err(JournalError::NoSuchRun(_))),
            "{error:?}"
        );
    }
    create(&*journal, "no/such run", 1).await.unwrap();
    let again = create(&*journal, "no/such run", 1).await;
    assert!(
        matches!(again, Err(JournalError::Unusable { .. })),
        "{again:?}"
    );
    journal.claim(&run, &owner(1)).await.unwrap();
}

async fn readers_see_whole_pages_beside_a_writer(open: Open<'_>) {
    const PAGES: u64 = 40;
    const SIZE: u64 = 25;
    let (writer, reader) = (open().await, open().await);
    let run = create(&*writer, "beside", 1).await.unwrap();
    let written = run.clone();
    let writing = tokio::spawn(async move {
        let mut claim = writer.claim(&written, &owner(1)).await.unwrap();
        for page in 0..PAGES {
            let page = entries(page * SIZE..(page + 1) * SIZE);
            writer.append(&written, &mut claim, &page).await.unwrap();
        }
    });
    loop {
        let done = writing.is_finished();
        let read = reader.read_all(&run, Seq(0)).await.unwrap();
        let length = read.len() as u64;
        assert_eq!(length % SIZE, 0, "a page is read whole or not at all");
        assert_eq!(read, entries(0..length));
        if done {
            assert_eq!(length, PAGES * SIZE);
            break;
        }
        // The journal in memory never waits, and would starve the writer.
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
}

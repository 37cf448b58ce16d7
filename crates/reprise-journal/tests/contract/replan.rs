//! A second plan in a run: with its event or not at all.

use reprise_model::{Plan, RunId, Seq};
use reprise_ports::{Journal, JournalError};

use crate::sample::{create, entries, owner, plan};
use crate::suite::Open;

/// Another plan than the sample's, told apart by its number of sites.
fn other(halt_above: u32) -> Plan {
    let plan = Plan {
        halt_above: Some(halt_above),
        ..plan()
    };
    plan.sealed()
}

async fn hashes(journal: &dyn Journal, run: &RunId) -> Vec<Option<u32>> {
    let plans = journal.plans(run).await.unwrap();
    plans.all().map(|plan| plan.halt_above).collect()
}

pub async fn hold(open: Open<'_>) {
    the_newest_is_in_force_and_all_are_kept(open).await;
    a_refused_page_leaves_no_plan(open).await;
}

async fn the_newest_is_in_force_and_all_are_kept(open: Open<'_>) {
    let journal = open().await;
    let run = create(&*journal, "replan", 1).await.unwrap();
    let mut claim = journal.claim(&run, &owner(1)).await.unwrap();
    journal
        .append(&run, &mut claim, &entries(0..3))
        .await
        .unwrap();
    assert_eq!(hashes(&*journal, &run).await, [None]);
    // The last one brings back what was in force before.
    for (from, limit) in [(3, 1), (5, 2), (7, 1)] {
        let page = entries(from..from + 2);
        journal
            .replan(&run, &mut claim, &other(limit), &page)
            .await
            .unwrap();
        let reader = open().await;
        assert_eq!(reader.plan(&run).await.unwrap(), other(limit));
        let rows = reader.runs().await.unwrap();
        let row = rows.iter().find(|row| row.id == run).unwrap();
        assert_eq!(row.plan_hash, other(limit).hash);
    }
    let reader = open().await;
    assert_eq!(hashes(&*reader, &run).await, [None, Some(1), Some(2)]);
    assert_eq!(*reader.plans(&run).await.unwrap().first().as_ref(), plan());
    let read = reader.read_all(&run, Seq(0)).await.unwrap();
    assert_eq!(read, entries(0..9));
    // And back to the very first.
    journal
        .replan(&run, &mut claim, &plan(), &entries(9..10))
        .await
        .unwrap();
    assert_eq!(reader.plan(&run).await.unwrap(), plan());
}

async fn a_refused_page_leaves_no_plan(open: Open<'_>) {
    let (first, second) = (open().await, open().await);
    let run = create(&*first, "replan-refused", 1).await.unwrap();
    let mut old = first.claim(&run, &owner(1)).await.unwrap();
    first.append(&run, &mut old, &entries(0..2)).await.unwrap();
    first.release(&run, &old).await;
    let mut new = second.claim(&run, &owner(2)).await.unwrap();
    let refused = first
        .replan(&run, &mut old, &other(1), &entries(2..3))
        .await;
    assert!(
        matches!(refused, Err(JournalError::Superseded { .. })),
        "{refused:?}"
    );
    let refused = second
        .replan(&run, &mut new, &other(1), &entries(5..6))
        .await;
    assert!(
        matches!(refused, Err(JournalError::OutOfStep { .. })),
        "{refused:?}"
    );
    assert_eq!(hashes(&*second, &run).await, [None]);
    assert_eq!(second.plan(&run).await.unwrap(), plan());
    second.append(&run, &mut new, &entries(2..3)).await.unwrap();
}

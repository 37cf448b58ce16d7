//! A schema that is not ours: pgbench's TPC-B tables with foreign keys, one
//! branch as one site, `history` without a primary key.

use super::cluster::{run, text};
use super::world::{World, tenant};

const SCHEMA: &str = "
create table pgbench_branches (bid int primary key, bbalance int, filler char(88));
create table pgbench_tellers (tid int primary key, bid int references pgbench_branches, tbalance int, filler char(84));
create table pgbench_accounts (aid int primary key, bid int references pgbench_branches, abalance int, filler char(84));
create table pgbench_history (tid int references pgbench_tellers, bid int references pgbench_branches,
  aid int references pgbench_accounts, delta int, mtime timestamp, filler char(22));
";
const ROWS: &str = "
insert into pgbench_branches select g, 0, '' from generate_series(1, 4) g;
insert into pgbench_tellers select g, (g - 1) / 10 + 1, 0, '' from generate_series(1, 40) g;
insert into pgbench_accounts select g, (g - 1) / 1000 + 1, 0, '' from generate_series(1, 4000) g;
insert into pgbench_history select (g % 4) * 10 + g % 10 + 1, g % 4 + 1, (g % 4) * 1000 + g % 1000 + 1, g * 7919 % 10001 - 5000, now(), null
  from generate_series(1, 6000) g;
update pgbench_tellers t set tbalance = (select coalesce(sum(delta), 0) from pgbench_history h where h.tid = t.tid);
update pgbench_accounts a set abalance = s.sum from (select aid, sum(delta) from pgbench_history group by aid) s where s.aid = a.aid;
update pgbench_branches b set bbalance = (select coalesce(sum(delta), 0) from pgbench_history h where h.bid = b.bid);
";
const BALANCED: &str = "
select bool_and(b.bbalance = t.sum and t.sum = a.sum and a.sum = h.sum) and count(*) = 4 from pgbench_branches b
join (select bid, sum(tbalance) from pgbench_tellers group by bid) t using (bid)
join (select bid, sum(abalance) from pgbench_accounts group by bid) a using (bid)
join (select bid, sum(delta) from pgbench_history group by bid) h using (bid)";

#[tokio::test]
async fn all_balances_agree_after_a_branch_came_back() {
    let mut world = World::new(SCHEMA, ROWS, tenant("pgbench_branches.bid", &[])).await;
    assert_eq!(text(&mut world.now, BALANCED).await, "true");
    let before = text(
        &mut world.now,
        "select count(*) from pgbench_history where bid = 3",
    )
    .await;
    run(
        &mut world.now,
        "delete from pgbench_history where bid = 3; delete from pgbench_accounts where bid = 3;
        delete from pgbench_tellers where bid = 3; delete from pgbench_branches where bid = 3",
    )
    .await;
    // A neighbour goes on: balances of its own change, and still agree.
    run(&mut world.now, "insert into pgbench_history values (1, 1, 1, 5, now()); update pgbench_accounts set abalance = abalance + 5 where aid = 1;
        update pgbench_tellers set tbalance = tbalance + 5 where tid = 1; update pgbench_branches set bbalance = bbalance + 5 where bid = 1").await;
    let outcome = world.comes_back("3").await;
    assert_eq!(text(&mut world.now, BALANCED).await, "true");
    assert_eq!(
        outcome.output["tables"]["pgbench_history"].to_string(),
        before
    );
}

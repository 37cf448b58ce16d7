//! Schemas and values that slices are hard with, each restored and verified.

use super::cluster::{run, text};
use super::world::{World, check, tenant};

pub const TRACKER: &str = "
create table currencies (code text primary key);
create table sites (id int primary key, name text not null);
create table projects (id bigint generated always as identity primary key, site_id int not null references sites,
  lead_id bigint, currency text references currencies);
create table users (id bigserial primary key, site_id int not null references sites, project_id bigint references projects,
  parent_id bigint references users, email text, upper_email text generated always as (upper(email)) stored);
alter table projects add foreign key (lead_id) references users;
create table issues (id bigserial primary key, project_id bigint not null references projects, title text);
create table comments (id bigserial primary key, issue_id bigint not null references issues on delete cascade, body text);
create table links (from_id bigint not null references issues, to_id bigint not null references issues);
";

pub const TRACKER_ROWS: &str = "
insert into currencies values ('EUR'), ('USD');
insert into sites select g, 'site ' || g from generate_series(1, 3) g;
insert into projects (site_id, currency) select g % 3 + 1, 'EUR' from generate_series(1, 9) g;
insert into users (site_id, project_id, parent_id, email)
  select g % 3 + 1, g, null, 'u' || g || '@x' from generate_series(1, 9) g;
update users set parent_id = id - 3 where id > 3;
update projects set lead_id = id;
insert into issues (project_id, title) select g % 9 + 1, 'issue ' || g from generate_series(1, 90) g;
insert into comments (issue_id, body) select g % 90 + 1, 'it''s \"' || g || E'\\\\ \\n' from generate_series(1, 900) g;
insert into links select g, g % 90 + 1 from generate_series(1, 90) g;
";

pub const DELETE_SITE_2: &str = "
set session_replication_role = replica;
delete from links where from_id in (select i.id from issues i join projects p on p.id = project_id where site_id = 2);
delete from comments where issue_id in (select i.id from issues i join projects p on p.id = project_id where site_id = 2);
delete from issues where project_id in (select id from projects where site_id = 2);
delete from users where site_id = 2; delete from projects where site_id = 2; delete from sites where id = 2;
set session_replication_role = origin;
";

async fn tracker() -> World {
    let rules = tenant("sites.id", &[("currencies", "shared")]);
    World::new(TRACKER, TRACKER_ROWS, rules).await
}

#[tokio::test]
async fn hops_cycles_and_self_references_come_back() {
    let mut world = tracker().await;
    let before = world.everything().await;
    run(&mut world.now, DELETE_SITE_2).await;
    assert_ne!(world.everything().await, before);
    let outcome = world.comes_back("2").await;
    assert_eq!(world.everything().await, before);
    assert_eq!(outcome.output["mode"], "replica");
    assert_eq!(outcome.output["tables"]["comments"], 300);
    assert_eq!(outcome.volume.rows, 1 + 3 + 3 + 30 + 300 + 30);
}

#[tokio::test]
async fn a_difference_of_one_value_fails_the_verdict() {
    let mut world = tracker().await;
    world.verify("2", "{}").await.unwrap();
    run(&mut world.now, "update comments set body = body || ' ' where id = (
        select min(c.id) from comments c join issues i on i.id = issue_id join projects p on p.id = project_id where site_id = 2)").await;
    let fault = world.verify("2", "{}").await.unwrap_err();
    assert_eq!(fault.kind, reprise_model::FaultKind::Validation);
    let rows = check(&fault.checks, "slice-rows");
    assert_eq!(rows.evidence["different"][0], "comments");
    assert_eq!(
        text(&mut world.now, "select count(*) from comments").await,
        "900"
    );
}

//! Values that a server takes on terms of its own: text and dates as they are.

use reprise_model::{Action, TableRule, Tenant};
use reprise_ports::Connector;

use super::world::{Server, World, run, text};

const ODD: &str = "set sql_mode = 'ALLOW_INVALID_DATES'; create table app.odd (id int primary key,
      site_id int not null, d date, dt datetime(3), ts timestamp null, jp varchar(40) character set cp932,
      fixed char(10) character set sjis, wide varchar(40) character set utf16, ucs text character set ucs2,
      kind enum('a', '\u{2225}') character set cp932, name varchar(40) character set gbk,
      foreign key (site_id) references app.sites (id) on delete cascade);
    insert into app.odd values
      (1, 1, '2022-02-31', '2023-04-31 10:00:00.125', '0000-00-00', _cp932 x'ED40FA54879AEEF98781', _sjis x'8160817C',
       '\u{1f600}\u{e4} ', '\u{e4} ', 2, _gbk x'A1AAA2A1'),
      (2, 1, '0000-00-00', '2022-00-00', null, ' ', '  a ', '', ' ', null, _gbk x'5C27'),
      (3, 2, '2022-02-31', null, null, _cp932 x'FA54', null, null, null, null, null);
    set sql_mode = 'STRICT_ALL_TABLES'";
const DUMP: &str = "select group_concat(concat_ws('|', id, d, dt, ifnull(ts, '-'), hex(jp), hex(fixed), hex(wide), hex(ucs),
      ifnull(kind + 0, '-'), hex(name)) order by id separator '\n') from app.odd";

#[tokio::test]
async fn text_of_any_character_set_and_dates_that_are_none_come_back_as_they_were() {
    let mut world = World::new().await;
    world.commit_at(5, ODD).await;
    let before = text(&mut world.live, DUMP).await;
    assert!(before.contains("2022-02-31|2023-04-31"), "{before}");
    assert!(before.contains("ED40FA54879AEEF98781"), "{before}");
    world
        .commit_at(20, "delete from app.sites where id = 1")
        .await;
    let target = world.at(15.0);
    world.perform(Action::Recover, target, None).await.unwrap();
    for action in [Action::Restore, Action::Verify] {
        world.perform(action, target, Some("1")).await.unwrap();
    }
    assert_eq!(text(&mut world.live, DUMP).await, before);
    world.connector.close().await;
}

/// The root tells `acme` from `ACME`, and a table that is tied to it by the
/// estate alone does not.
#[tokio::test]
async fn another_sites_rows_are_not_taken_for_ours_by_a_collation() {
    let mut server = Server::start(&[]).await;
    let ignored = ["sites", "projects", "issues", "countries"];
    let ignored = ignored.map(|table| (table.to_owned(), TableRule::Ignored));
    let visits = ("visits".to_owned(), TableRule::Key("place".to_owned()));
    server.tenant = Tenant {
        table: "places".to_owned(),
        key: "code".to_owned(),
        tables: ignored.into_iter().chain([visits]).collect(),
    };
    let mut world = World::on(server).await;
    world
        .commit_at(
            5,
            "create table app.places (code varchar(20) collate utf8mb4_bin primary key) charset utf8mb4;
             create table app.visits (id int primary key, place varchar(20) collate utf8mb4_general_ci, key (place)) charset utf8mb4;
             insert into app.places values ('acme'), ('ACME');
             insert into app.visits values (1, 'acme'), (2, 'ACME'), (3, 'acme ')",
        )
        .await;
    let gone = "delete from app.places where code = 'acme'; delete from app.visits where id = 1";
    world.commit_at(20, gone).await;
    let target = world.at(15.0);
    world.perform(Action::Recover, target, None).await.unwrap();
    let restored = world.perform(Action::Restore, target, Some("acme")).await;
    assert_eq!(restored.unwrap().volume.rows, 2);
    let verify = world.perform(Action::Verify, target, Some("acme")).await;
    assert_eq!(verify.unwrap().volume.rows, 2);
    // It is the other one's business.
    run(
        &mut world.live,
        "update app.visits set place = 'Acme' where id = 2",
    )
    .await;
    let verify = world.perform(Action::Verify, target, Some("acme")).await;
    verify.unwrap();
    let rows = "select group_concat(concat(id, place, '.') order by id) from app.visits";
    assert_eq!(text(&mut world.live, rows).await, "1acme.,2Acme.,3acme .");
    world.connector.close().await;
}

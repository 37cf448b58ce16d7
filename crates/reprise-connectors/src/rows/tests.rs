//! Discovery and drift over catalogs written down in a few lines.

use reprise_model::{TableRule, Tenant};

use super::*;

/// A catalog from lines such as `issues: id!, project! -> projects.id`, where
/// `!` is "not null"; several columns of one key are written `a+b -> t.x+y`.
fn catalog(lines: &[&str]) -> Catalog {
    let mut catalog = Catalog {
        major: 15,
        ..Catalog::default()
    };
    for line in lines {
        let (name, columns) = line.split_once(':').unwrap();
        let mut table = table(name);
        for (at, column) in columns
            .split(',')
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .enumerate()
        {
            let (names, target) = match column.split_once("->") {
                Some((names, target)) => (names.trim(), Some(target.trim())),
                None => (column, None),
            };
            for name in names.split('+') {
                add_column(&mut table, name);
            }
            if let Some(target) = target {
                let key = foreign_key(&table.name, at, names, target);
                catalog.foreign_keys.push(key);
            }
        }
        catalog.tables.insert(table.name.clone(), table);
    }
    catalog
}

fn table(name: &str) -> Table {
    Table {
        name: TableName::new("public", name),
        kind: Kind::Ordinary,
        unlogged: false,
        of_extension: false,
        partition_of: None,
        inherits: Vec::new(),
        row_security: RowSecurity::default(),
        columns: Vec::new(),
        keys: Vec::new(),
        triggers: Vec::new(),
        rows: 0.0,
        bytes: 0,
    }
}

fn add_column(table: &mut Table, written: &str) {
    let name = written.trim_end_matches('!');
    if table.column(name).is_some() {
        return;
    }
    let kind = ColumnType {
        sql: "integer".to_owned(),
        base: "integer".to_owned(),
        portable: true,
        labels: Vec::new(),
        object_id: false,
    };
    table.columns.push(Column {
        name: name.to_owned(),
        number: i16::try_from(table.columns.len() + 1).unwrap(),
        kind,
        not_null: written.ends_with('!'),
        generated: false,
        filled: false,
        sequence: None,
        collation: None,
    });
}

fn foreign_key(child: &TableName, at: usize, names: &str, target: &str) -> ForeignKey {
    let (parent, columns) = target.split_once('.').unwrap();
    let list = |names: &str| -> Vec<String> {
        let names = names.split('+');
        names
            .map(|name| name.trim_end_matches('!').to_owned())
            .collect()
    };
    ForeignKey {
        name: format!("{}_{at}_fkey", child.name),
        child: child.clone(),
        columns: list(names),
        parent: TableName::new("public", parent),
        parent_columns: list(columns),
        operators: vec!["operator(pg_catalog.=)".to_owned(); names.split('+').count()],
        deferrable: false,
        full: false,
        validated: true,
        clears: Vec::new(),
    }
}

fn tenant(rules: &[(&str, TableRule)]) -> Tenant {
    Tenant {
        table: "sites".to_owned(),
        key: "id".to_owned(),
        tables: rules
            .iter()
            .map(|(t, r)| (t.to_string(), r.clone()))
            .collect(),
    }
}

fn found(lines: &[&str], rules: &[(&str, TableRule)]) -> Slice {
    discover(&catalog(lines), &tenant(rules)).unwrap()
}

fn order(slice: &Slice) -> Vec<&str> {
    slice
        .tables
        .iter()
        .map(|owned| owned.table.name.as_str())
        .collect()
}

/// The predicate of one table for site 7, with the noise taken out.
fn predicate(lines: &[&str], rules: &[(&str, TableRule)], table: &str) -> String {
    let catalog = catalog(lines);
    let slice = discover(&catalog, &tenant(rules)).unwrap();
    let rows = SiteRows {
        slice: &slice,
        catalog: &catalog,
        site: "7",
    };
    let condition = rows
        .condition(&TableName::new("public", table), "t")
        .unwrap();
    condition
        .replace("operator(pg_catalog.=)", "=")
        .replace("only \"public\".", "")
        .replace('"', "")
}

fn problems(lines: &[&str], rules: &[(&str, TableRule)]) -> Vec<String> {
    let problems = discover(&catalog(lines), &tenant(rules)).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn ownership_runs_over_any_number_of_hops() {
    let lines = [
        "sites: id!",
        "a: id!, site! -> sites.id",
        "b: id!, a! -> a.id",
        "c: b! -> b.id",
    ];
    assert_eq!(order(&found(&lines, &[])), ["sites", "a", "b", "c"]);
    assert_eq!(predicate(&lines, &[], "sites"), "t.id = '7'::integer");
    assert_eq!(predicate(&lines, &[], "a"), "t.site = '7'::integer");
    assert_eq!(
        predicate(&lines, &[], "c"),
        "exists (select 1 from b p1 where p1.id = t.b and exists (select 1 from a p2 where p2.id = p1.a and p2.site = '7'::integer))"
    );
}

#[test]
fn a_composite_key_carries_the_site_along() {
    let lines = [
        "sites: id!",
        "a: site! -> sites.id, n!",
        "b: site!+n! -> a.site+n, m!",
        "c: site!+m! -> b.site+m",
    ];
    assert_eq!(predicate(&lines, &[], "c"), "t.site = '7'::integer");
}

#[test]
fn the_direct_key_wins_and_the_other_way_is_reported() {
    let lines = [
        "sites: id!",
        "a: id!, site! -> sites.id",
        "b: a! -> a.id, site! -> sites.id",
    ];
    assert_eq!(predicate(&lines, &[], "b"), "t.site = '7'::integer");
    let notes = found(&lines, &[]).notes;
    assert_eq!(
        notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["b belongs to a site by column site; a -> a leads to a site too, and is not asked"]
    );
}

#[test]
fn a_way_without_nulls_is_taken_though_it_is_longer() {
    let lines = [
        "sites: id!",
        "a: id!, site! -> sites.id",
        "b: id!, a! -> a.id",
        "c: a -> a.id, b! -> b.id",
    ];
    assert!(predicate(&lines, &[], "c").starts_with("exists (select 1 from b p1"));
    assert!(
        found(&lines, &[])
            .owned(&TableName::new("public", "c"))
            .is_some_and(|c| !c.partial())
    );
}

#[test]
fn nullable_ways_are_alternatives_and_what_none_covers_is_reported() {
    let lines = [
        "sites: id!",
        "a: id!, site! -> sites.id",
        "b: id!, site! -> sites.id",
        "c: a -> a.id, b -> b.id",
    ];
    assert_eq!(
        predicate(&lines, &[], "c"),
        "(exists (select 1 from a p1 where p1.id = t.a and p1.site = '7'::integer) or \
         (t.a is null) and exists (select 1 from b p1 where p1.id = t.b and p1.site = '7'::integer))"
    );
    assert_eq!(
        found(&lines, &[]).notes[0].to_string(),
        "c: rows whose a, b is null belong to no site and are not restored"
    );
}

#[test]
fn cycles_and_self_references_have_an_order() {
    let lines = [
        "sites: id!, owner -> users.id",
        "users: id!, site! -> sites.id, boss -> users.id, team -> teams.id",
        "teams: id!, lead! -> users.id",
        "posts: author! -> users.id",
    ];
    let slice = found(&lines, &[]);
    assert_eq!(order(&slice), ["sites", "users", "teams", "posts"]);
    let cyclic: Vec<&str> = slice
        .cyclic
        .iter()
        .map(|key| key.columns[0].as_str())
        .collect();
    assert_eq!(cyclic, ["owner", "team"]);
}

#[test]
fn two_nullable_tables_that_refer_to_each_other_do_not_chase_each_other() {
    let lines = [
        "sites: id!",
        "a: id!, site -> sites.id, b -> b.id",
        "b: id!, site -> sites.id, a -> a.id",
    ];
    assert_eq!(predicate(&lines, &[], "a"), "t.site = '7'::integer");
    assert_eq!(
        predicate(&lines, &[], "b"),
        "(t.site = '7'::integer or (t.site is null) and exists (select 1 from a p1 where p1.id = t.a and p1.site = '7'::integer))"
    );
    // What a row of `a` could owe to `b` is not asked, and said.
    let notes = found(&lines, &[]).notes;
    assert!(notes.iter().any(|note| {
        note.to_string()
            .starts_with("a belongs to a site by column site; b -> b")
    }));
}

#[test]
fn declared_keys_shared_and_ignored_tables() {
    let lines = [
        "sites: id!",
        "audit: tenant!, what!",
        "rates: id!",
        "junk: site! -> sites.id",
    ];
    let rules = [
        ("audit", TableRule::Key("tenant".to_owned())),
        ("public.rates", TableRule::Shared),
        ("junk", TableRule::Ignored),
    ];
    let slice = found(&lines, &rules);
    assert_eq!(order(&slice), ["audit", "sites"]);
    assert_eq!(slice.shared, [TableName::new("public", "rates")]);
    assert_eq!(slice.notes.len(), 1, "{:?}", slice.notes);
}

#[test]
fn what_nobody_owns_is_named() {
    let lines = ["sites: id!", "stray: id!", "lost: s -> stray.id"];
    assert_eq!(
        problems(&lines, &[]),
        [
            "nobody owns lost, stray: no foreign key leads from them to the root table, and no rule names them"
        ]
    );
}

#[test]
fn wrong_names_come_with_the_nearest_right_one() {
    let lines = ["sites: id!", "audit_log: tenant_id!"];
    let check = |rule: (&str, TableRule), expect: &str| {
        assert_eq!(problems(&lines, &[rule]), [expect]);
    };
    let key = |column: &str| TableRule::Key(column.to_owned());
    check(
        ("audit_logs", key("tenant_id")),
        "there is no table `audit_logs`; did you mean `audit_log`?",
    );
    check(
        ("audit_log", key("tenantid")),
        "table audit_log has no column `tenantid`; did you mean `tenant_id`?",
    );
    check(("zzz", TableRule::Shared), "there is no table `zzz`");
    check(
        ("sites", TableRule::Shared),
        "the root table sites is owned by its key, and cannot have another rule",
    );
}

#[test]
fn a_name_in_two_schemas_wants_its_schema() {
    let mut twice = catalog(&["sites: id!", "t: id!"]);
    let mut other = table("t");
    other.name = TableName::new("crm", "t");
    twice.tables.insert(other.name.clone(), other);
    let problems = discover(&twice, &tenant(&[("t", TableRule::Shared)])).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "`t` is the name of several tables: crm.t, public.t; write the schema"
    );
}

#[test]
fn unlogged_and_foreign_tables_are_told_and_not_wanted() {
    let mut odd = catalog(&["sites: id!", "u: id!", "f: id!"]);
    odd.tables
        .get_mut(&TableName::new("public", "u"))
        .unwrap()
        .unlogged = true;
    odd.tables
        .get_mut(&TableName::new("public", "f"))
        .unwrap()
        .kind = Kind::Foreign;
    let slice = discover(&odd, &tenant(&[])).unwrap();
    assert_eq!(slice.notes.len(), 2);
    let problems = discover(&odd, &tenant(&[("f", TableRule::Key("id".to_owned()))])).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "f is a foreign table, whose rows cannot be restored"
    );
}

#[test]
fn a_text_that_the_root_would_tell_apart_is_compared_by_its_letters() {
    let mut catalog = catalog(&["sites: id!", "audit: site!", "notes: site!"]);
    catalog.dialect = Dialect::Mariadb;
    let mut text = |table: &str, column: usize, collation: &str| {
        let table = TableName::new("public", table);
        let column = &mut catalog.tables.get_mut(&table).unwrap().columns[column];
        column.kind.base = "varchar utf8mb4".to_owned();
        column.collation = Some(collation.to_owned());
    };
    text("sites", 0, "utf8mb4_bin");
    text("audit", 0, "utf8mb4_general_ci");
    text("notes", 0, "utf8mb4_bin");
    let key = |column: &str| TableRule::Key(column.to_owned());
    let rules = tenant(&[("audit", key("site")), ("notes", key("site"))]);
    let slice = discover(&catalog, &rules).unwrap();
    let rows = SiteRows {
        slice: &slice,
        catalog: &catalog,
        site: "acme",
    };
    let check = |table: &str, expect: &str| {
        let condition = rows.condition(&TableName::new("public", table), "t");
        assert_eq!(condition.as_deref(), Some(expect));
    };
    check("sites", "t.`id` = 'acme'");
    check("notes", "t.`site` = 'acme'");
    check(
        "audit",
        "(t.`site` = 'acme' and convert(t.`site` using utf8mb4) collate utf8mb4_nopad_bin = 'acme')",
    );
}

#[test]
fn a_column_that_live_computes_no_more_is_carried() {
    let (mut then, now) = (
        catalog(&["sites: id!, twice"]),
        catalog(&["sites: id!, twice"]),
    );
    let slice = discover(&then, &tenant(&[])).unwrap();
    let sites = TableName::new("public", "sites");
    then.tables.get_mut(&sites).unwrap().columns[1].generated = true;
    let check = |then: &Catalog, now: &Catalog, expect: &[&str], drifts: usize| {
        let (plan, found) = compare(then, now, &slice);
        assert_eq!(plan.tables[0].columns, expect);
        assert_eq!(found.len(), drifts, "{found:?}");
    };
    check(&then, &now, &["id", "twice"], 0);
    check(&then, &then, &["id"], 0);
    check(&now, &then, &["id", "twice"], 1);
}

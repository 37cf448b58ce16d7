//! Every error, as a person reads it.

use std::collections::BTreeMap;

use reprise_model::{Directory, Layer, Objects, StoreKind, Tenancy};

use crate::fixture::{compiled, estate, four_sites, ids, input, runbook, sites, store};
use crate::{Place, PlanErrors, SelectedId, Selection, compile};

fn shown(errors: PlanErrors) -> String {
    let lines = errors.0.iter().map(|e| format!("[{}] {e}", e.code()));
    lines.collect::<Vec<_>>().join("\n")
}

fn of_steps(lines: &[&str]) -> String {
    shown(compiled(&runbook(lines), four_sites(), Selection::All).expect_err("a mistake"))
}

fn of_selection(selection: Selection) -> String {
    let runbook = runbook(&["x site exec"]);
    shown(compiled(&runbook, four_sites(), selection).expect_err("a mistake"))
}

#[test]
fn mistakes_in_the_steps() {
    insta::assert_snapshot!(of_steps(&[
        "recover shard recover isues",
        "product site restore issues <- recovr, zebra #load",
        "product site exec",
        "lonely shard exec",
        "whole site verify",
    ]), @r"
    [unknown-store] step recover names store `isues`, which the estate does not have; the nearest is `issues`
    [step-twice] the runbook has step product twice
    [unknown-need] step product needs `recovr`, which is not a step; the nearest is `recover`
    [unknown-need] step product needs `zebra`, which is not a step
    [store-missing] step lonely with `action: exec` of scope shard names no store
    [store-missing] step whole with `action: verify` of scope site names no store
    ");
    insta::assert_snapshot!(of_steps(&[
        "a site exec <- c",
        "b site exec <- a",
        "c site exec <- b",
        "d site exec <- d",
        "e site exec <- d, c",
    ]), @r"
    [cycle] steps need each other in a circle: a -> c -> b -> a
    [cycle] steps need each other in a circle: d -> d
    ");
}

#[test]
fn options_that_the_kind_of_store_does_not_know() {
    let mut estate = estate();
    estate.stores[0].kind = StoreKind::Mariadb;
    let store = estate.stores[0].id.clone();
    let mut runbook = runbook(&[&format!("back site restore {store}")]);
    runbook.steps[0].with = [
        ("on_conflict", "replace"),
        ("ties", "include"),
        ("lock_timeout", "2s"),
    ]
    .map(|(key, value)| (key.to_owned(), value.into()))
    .into_iter()
    .collect();
    let input = input(&estate, &runbook, four_sites(), Selection::All);
    let errors = compile(input).expect_err("a mistake");
    insta::assert_snapshot!(shown(errors), @r"
    [unknown-option] step back says `with: { on_conflict: replace }`, which store catalogue of kind `mariadb` does not know; it knows on_conflict (refuse), lock_timeout, statement_timeout
    [unknown-option] step back says `with: { ties: include }`, which store catalogue of kind `mariadb` does not know; it knows on_conflict (refuse), lock_timeout, statement_timeout
    ");
}

#[test]
fn unknown_and_empty_pools() {
    let mut runbook = runbook(&["x site exec #load", "y site exec #loat"]);
    runbook.pools[0].slots = 0;
    runbook.pools.truncate(1);
    let errors = compiled(&runbook, four_sites(), Selection::All).expect_err("a mistake");
    insta::assert_snapshot!(shown(errors), @r"
    [pool-without-slots] pool load has no slots: its tasks would never start
    [unknown-pool] step y names pool `loat`, which the runbook does not have; the nearest is `load`
    ");
}

#[test]
fn ids_that_are_no_sites() {
    let (estate, runbook) = (estate(), runbook(&["x site exec"]));
    let rows = sites(&["site-1001", "site-1002", "site-2000"]);
    let mut selection = Vec::new();
    for (line, id) in (1..).zip(["site-1001", "app-1234", "site-1020", "zebra", "site-1001"]) {
        let file = "sites.txt".into();
        let place = Some(Place { file, line });
        selection.push(SelectedId {
            id: id.into(),
            place,
        });
    }
    let input = crate::CompileInput {
        identified: BTreeMap::from([("app-1234".to_owned(), "apps.id".to_owned())]),
        ..input(&estate, &runbook, rows, Selection::Ids(selection))
    };
    insta::assert_snapshot!(shown(compile(input).expect_err("a mistake")), @r"
    [not-a-site] sites.txt:2: app-1234 is not a site at the target time: it is a key of apps.id
    [not-a-site] sites.txt:3: site-1020 is not a site at the target time; the nearest is `site-1002`
    [not-a-site] sites.txt:4: zebra is not a site at the target time
    [selected-twice] sites.txt:5: site site-1001 is selected twice, first at sites.txt:1
    ");
    insta::assert_snapshot!(of_selection(ids(&["a", "a"])), @"[selected-twice] site a is selected twice");
}

#[test]
fn nothing_to_do() {
    let attribute = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let silver = Selection::Where(vec![
        attribute("tier", "silver"),
        attribute("customer", "x"),
    ]);
    insta::assert_snapshot!(of_selection(silver), @"[nothing-selected] no site is selected: none of 4 sites has tier=silver and customer=x");
    insta::assert_snapshot!(of_selection(ids(&[])), @"[nothing-selected] no site is selected: the selection lists no id");
    let teir = Selection::Where(vec![attribute("teir", "gold")]);
    insta::assert_snapshot!(of_selection(teir), @"[unknown-attribute] no site has an attribute `teir`; the nearest is `tier`");
    let none = compiled(&runbook(&["x site exec"]), Vec::new(), Selection::All);
    let none = none.expect_err("there is no site");
    assert!(none.is_nothing_to_do());
    insta::assert_snapshot!(shown(none), @"[nothing-selected] no site is selected: the list of sites is empty at the target time");
}

#[test]
fn mistakes_in_the_list_of_sites() {
    let mut rows = sites(&["a shard=s01", "b shard=s02", "a shard=s02"]);
    rows.push(BTreeMap::from([("name".to_owned(), "nobody".to_owned())]));
    let errors = compiled(&runbook(&["x site exec"]), rows, Selection::All);
    insta::assert_snapshot!(shown(errors.expect_err("a mistake")), @r"
    [site-without-id] row 4 of the list of sites has no `id`
    [site-listed-twice] the list of sites has site a 2 times
    ");
}

#[test]
fn sites_that_no_shard_holds() {
    let restore = runbook(&["x site restore issues"]);
    let rows = sites(&["a shard=s04", "b", "c shard=zebra"]);
    let errors = compiled(&restore, rows, Selection::All);
    insta::assert_snapshot!(shown(errors.expect_err("a mistake")), @r"
    [unknown-shard] store issues places site a on shard `s04`, which it does not have; the nearest is `s01`
    [placement-failed] store issues cannot place site b: stores.issues.placement: the site has no attribute `shard`; it has id
    [unknown-shard] store issues places site c on shard `zebra`, which it does not have
    ");
    let mut estate = estate();
    estate.stores[1] = store("issues", Layer::Product, None, &["s01", "s02"]);
    let errors = compile(input(&estate, &restore, four_sites(), Selection::All));
    insta::assert_snapshot!(shown(errors.expect_err("a mistake")), @"[no-placement] store issues has 2 shards and no `placement` that tells them apart");
}

#[test]
fn paths_that_are_no_sites_own() {
    let restore = runbook(&["x site restore media"]);
    let check = |prefix: &str, selected: &str| {
        let mut estate = estate();
        estate.stores[2] = store("media", Layer::Media, None, &["m1"]);
        let prefix = prefix.to_owned();
        estate.stores[2].tenant = Some(Tenancy::Objects(Objects { prefix }));
        let rows = sites(&[
            "a customer=x/b",
            "b customer=x",
            "c customer=y",
            "d customer=y",
        ]);
        let selection = Selection::Ids(vec![SelectedId {
            id: selected.into(),
            place: None,
        }]);
        match compile(input(&estate, &restore, rows, selection)) {
            Ok(_) => String::new(),
            Err(errors) => shown(errors),
        }
    };
    assert_eq!(check("s/{{ site.id }}/", "a"), "");
    insta::assert_snapshot!(check("media/", "d"), @"[not-apart] store media: `media/` of site a is not its own, `media/` of site d lies within; let the template name the site, as in `{{ site.id }}`");
    insta::assert_snapshot!(check("{{ site.customer }}/", "a"), @"[not-apart] store media: `x/` of site b is not its own, `x/b/` of site a lies within; let the template name the site, as in `{{ site.id }}`");
    insta::assert_snapshot!(check("{{ site.customer }}/", "d"), @"[not-apart] store media: `y/` of site c is not its own, `y/` of site d lies within; let the template name the site, as in `{{ site.id }}`");
    assert_eq!(check("{{ site.customer }}/{{ site.id }}/", "c"), "");
    // `x/b/a/` and `x/b/`.
    insta::assert_snapshot!(check("{{ site.customer }}/{{ site.id }}/", "b"), @"[not-apart] store media: `x/b/` of site b is not its own, `x/b/a/` of site a lies within; let the template name the site, as in `{{ site.id }}`");
}

#[test]
fn bases_of_a_directory_that_are_no_sites_own() {
    let restore = runbook(&["x site restore people"]);
    let check = |base: &str, rows: &[&str], selected: &str| {
        let mut estate = estate();
        estate.stores[2] = store("people", Layer::Identity, None, &["main"]);
        estate.stores[2].kind = StoreKind::Ldap;
        estate.stores[2].tenant = Some(Tenancy::Directory(Directory {
            base: base.to_owned(),
            groups: None,
            member: Vec::new(),
            shared: None,
        }));
        let selection = Selection::Ids(vec![SelectedId {
            id: selected.into(),
            place: None,
        }]);
        match compile(input(&estate, &restore, sites(rows), selection)) {
            Ok(_) => String::new(),
            Err(errors) => shown(errors),
        }
    };
    let by_id = "ou={{ site.id }},ou=sites,dc=acme";
    assert_eq!(check(by_id, &["a", "ab", "b,ou=a"], "a"), "");
    // A directory folds case: one name, although the ids differ.
    insta::assert_snapshot!(check(by_id, &["a", "A"], "a"), @"[not-apart] store people: `ou=A,ou=sites,dc=acme` of site A is not its own, `ou=a,ou=sites,dc=acme` of site a lies within; let the template name the site, as in `{{ site.id }}`");
    let of_customer = "OU={{ site.customer }} , ou=Sites,dc=acme";
    let rows = ["a customer=x", "b customer=X", "c customer=y"];
    insta::assert_snapshot!(check(of_customer, &rows, "b"), @"[not-apart] store people: `OU=x , ou=Sites,dc=acme` of site a is not its own, `OU=X , ou=Sites,dc=acme` of site b lies within; let the template name the site, as in `{{ site.id }}`");
    assert_eq!(check(of_customer, &rows, "c"), "");
    let nested = "{% if site.customer == 'top' %}ou=sites, dc=acme{% else %}ou={{ site.id }},OU=sites,dc=acme{% endif %}";
    insta::assert_snapshot!(check(nested, &["a customer=x", "b customer=top"], "a"), @"[not-apart] store people: `ou=sites, dc=acme` of site b is not its own, `ou=a,OU=sites,dc=acme` of site a lies within; let the template name the site, as in `{{ site.id }}`");
    assert_eq!(check(nested, &["a customer=x", "b customer=y"], "a"), "");
}

#[test]
fn conditions_that_cannot_be_told() {
    insta::assert_snapshot!(of_steps(&["x site exec ? site.teir == 'gold'"]), @"[condition-failed] cannot tell whether step x is wanted for site a and 3 more: steps.x.when: the site has no attribute `teir`; it has customer, id, shard, tier, users");
    insta::assert_snapshot!(of_steps(&["x shard recover catalogue ? site.tier == 'gold'"]), @"[condition-failed] cannot tell whether step x is wanted for shard control of store catalogue: steps.x.when: there is no `site` here; there is shard");
}

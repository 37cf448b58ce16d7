//! References between stores, planted broken: a user whom the product knows
//! and the directory does not is found before anything comes after it, and
//! sites without the fault go on.

use reprise_lab::manifest::Manifest;
use serde_json::Value;

use crate::estate::Estate;
use crate::{binaries, journal};

/// In every site of an even number: one user gone, one of another name.
const PLANTED: &str = "
    with even as (select o.id, o.site_id from organisations o where site_id % 2 = 0),
         gone as (delete from users using even where organisation_id = even.id
                  and users.id = md5('user' || site_id || '/3')::uuid)
    update users set email = 'elsewhere@example.com' from even
    where organisation_id = even.id and users.id = md5('user' || site_id || '/2')::uuid";

#[test]
fn a_user_who_is_missing_from_the_directory_is_found_site_by_site() {
    let estate = Estate::build();
    execute(&estate, "identity", PLANTED);
    estate.accident(6);
    estate.plan_with(&binaries::workspace().join("tests/e2e/references.yaml"));
    let run = estate.start_or_resume().output().expect("reprise runs");
    assert_eq!(run.status.code(), Some(6), "{run:?}");

    let report = estate.report();
    let sites = report["sites"].as_array().expect("sites");
    let even = |site: &&Value| id(site).parse::<u64>().expect("a number") % 2 == 0;
    let (broken, fine): (Vec<_>, Vec<_>) = sites.iter().partition(even);
    assert!(!broken.is_empty() && !fine.is_empty(), "{report:#}");
    let ran = tasks_done(&estate);
    for site in broken {
        let check = validation(site, "people");
        assert_eq!(check["verdict"], "fail", "{check:#}");
        let evidence = &check["evidence"];
        assert_eq!(evidence["broken_links"]["count"], 1, "{evidence:#}");
        assert_eq!(evidence["differs"]["count"], 1, "{evidence:#}");
        assert_eq!(evidence["orphans"]["count"], 0, "{evidence:#}");
        assert_eq!(evidence["missing"]["count"], 0, "{evidence:#}");
        let to = &evidence["differs"]["samples"][0]["to"]["email"];
        assert_eq!(to, "elsewhere@example.com");
        assert_eq!(evidence["to"]["store"], "identity");
        assert_eq!(validation(site, "people-at-t")["verdict"], "pass");
        assert!(!ran.contains(&format!("told/{}", id(site))), "{ran:?}");
    }
    for site in fine {
        let check = validation(site, "people");
        assert_eq!(check["verdict"], "pass", "{check:#}");
        assert!(check["evidence"]["from"]["items"].as_u64() > Some(0));
        assert!(ran.contains(&format!("told/{}", id(site))), "{ran:?}");
    }
    // No secret of the live ends is anywhere in what was told.
    let env = std::fs::read_to_string(estate.path("lab/env")).expect("the lab's secrets");
    let url = env.lines().next().expect("a secret");
    let password = url
        .split(':')
        .nth(2)
        .and_then(|rest| rest.split('@').next());
    let password = password.expect("a URL has a password");
    assert!(!report.to_string().contains(password));
}

fn id(site: &Value) -> &str {
    site["id"].as_str().expect("a site has an id")
}

/// The validation that a task of the step made for the site.
fn validation<'a>(site: &'a Value, step: &str) -> &'a Value {
    let task = format!("{step}/{}", id(site));
    let all = site["validations"].as_array().expect("validations");
    let found = all.iter().find(|it| it["task"] == task.as_str());
    found.unwrap_or_else(|| panic!("{task} is not among {all:#?}"))
}

fn tasks_done(estate: &Estate) -> Vec<String> {
    let text = std::fs::read_to_string(estate.path("plan.json")).expect("the plan");
    let plan: reprise_model::Plan = serde_json::from_str(&text).expect("the plan is JSON");
    let entries = estate.journal();
    let done = entries.iter().filter_map(|entry| match &entry.event {
        reprise_model::Event::Ended { attempt, end, .. } => {
            let done = matches!(end, reprise_model::AttemptEnd::Done(_));
            done.then(|| plan.key(attempt.task).to_string())
        }
        _ => None,
    });
    done.collect()
}

fn execute(estate: &Estate, cluster: &str, sql: &'static str) {
    let layout = estate.layout();
    let done = journal::block_on(async {
        let manifest = Manifest::load(&layout).expect("a manifest");
        let mut clusters = manifest.clusters.iter();
        let entry = clusters
            .find(|entry| entry.name == cluster)
            .expect("the cluster");
        let mut admin = reprise_lab::cluster::admin(&layout, entry)
            .await
            .expect("a connection");
        sqlx::query(sql)
            .execute(&mut admin)
            .await
            .expect("planted")
            .rows_affected()
    });
    assert!(done > 0, "nothing was planted");
}

//! Paths that lead elsewhere, and ends that are not as they must be.

use std::fs;
use std::os::unix::fs::symlink;

use reprise_model::{Action, FaultKind};
use reprise_ports::{Connector, Inspect, Level};

use super::world::{World, at, comes_back, perform};

fn world() -> World {
    let world = World::new();
    world.commit(10, &[("sites/1/in/a", "one"), ("sites/2/a", "two")]);
    world
}

#[tokio::test]
async fn no_link_leads_out_of_the_live_folder() {
    let world = world();
    let connector = world.connector();
    let outside = world.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir_all(world.live("sites/1")).unwrap();
    symlink(&outside, world.live("sites/1/in")).unwrap();
    let with = r#"{"on_conflict":"replace","created_after":"remove"}"#;
    let fault = perform(&connector, Action::Restore, "1", at(20), with)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.message.contains("links are not followed"),
        "{}",
        fault.message
    );
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    fs::remove_file(world.live("sites/1/in")).unwrap();
    fs::create_dir(world.live("sites/1/in")).unwrap();
    fs::write(outside.join("a"), "theirs").unwrap();
    symlink(outside.join("a"), world.live("sites/1/in/a")).unwrap();
    let fault = perform(&connector, Action::Restore, "1", at(20), with)
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("sites/1/in/a is a symbolic link"),
        "{}",
        fault.message
    );
    assert_eq!(fs::read_to_string(outside.join("a")).unwrap(), "theirs");
}

#[tokio::test]
async fn no_id_leads_to_a_neighbour_or_out() {
    let world = world();
    let connector = world.connector();
    for id in ["..", "../..", "1/../2", "", ".git"] {
        let fault = perform(&connector, Action::Restore, id, at(20), "{}")
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Permanent, "{id}");
    }
    assert_eq!(fs::read_dir(world.live("")).unwrap().count(), 0);
}

#[tokio::test]
async fn links_in_the_repository_are_refused_for_their_site_alone() {
    let world = world();
    symlink("/etc/passwd", world.repository().join("sites/1/link")).unwrap();
    world.commit(15, &[]);
    let connector = world.connector();
    let fault = perform(&connector, Action::Restore, "1", at(20), "{}")
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("sites/1/link is a symbolic link"),
        "{}",
        fault.message
    );
    comes_back(&connector, "2", at(20), "{}").await;
}

#[tokio::test]
async fn a_content_that_is_elsewhere_is_refused_for_its_site_alone() {
    let world = world();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n";
    world.commit(
        15,
        &[
            ("sites/1/logo.png", pointer),
            ("sites/2/back\\slash", "two"),
        ],
    );
    let connector = world.connector();
    let fault = perform(&connector, Action::Restore, "1", at(20), "{}")
        .await
        .unwrap_err();
    let expect = "sites/1/logo.png is a pointer of Git LFS";
    assert!(fault.message.contains(expect), "{}", fault.message);
    comes_back(&connector, "2", at(20), "{}").await;
    assert_eq!(world.read_live("sites/2/back\\slash"), "two");
}

#[tokio::test]
async fn a_repository_that_is_not_there_or_down_is_told_apart() {
    let world = world();
    let recover = async |repository: &str| {
        let connector = world.connector_to(repository);
        perform(&connector, Action::Recover, "", at(20), "{}")
            .await
            .unwrap_err()
    };
    assert_eq!(
        recover("/no/such/repository").await.kind,
        FaultKind::Permanent
    );
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let fault = recover(&format!("git://{address}/x.git")).await;
    assert_eq!(fault.kind, FaultKind::Temporary, "{}", fault.message);
    assert!(
        !world
            .folder
            .path()
            .join("scratch")
            .read_dir()
            .unwrap()
            .any(|_| true)
    );
    // An option is not what it says.
    let fault = recover("--upload-pack=touch /tmp/x").await;
    assert_eq!(fault.kind, FaultKind::Permanent);
}

#[tokio::test]
async fn a_check_looks_at_the_branch_and_the_live_folder() {
    let world = world();
    let inspect = Inspect {
        shard: "main".into(),
        target_time: Some(at(20)),
        sites: Vec::new(),
    };
    let found = world.connector().inspect(&inspect).await.findings;
    assert!(
        found.iter().all(|finding| finding.level == Level::Ok),
        "{found:?}"
    );
    fs::remove_dir(world.live("")).unwrap();
    world.git(&["branch", "--quiet", "-m", "other"], 0);
    let found = world.connector().inspect(&inspect).await.findings;
    assert!(
        found.iter().all(|finding| finding.level == Level::Error),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_release_drops_the_clone() {
    let world = world();
    let connector = world.connector();
    comes_back(&connector, "1", at(20), "{}").await;
    perform(&connector, Action::Release, "", at(20), "{}")
        .await
        .unwrap();
    assert!(
        !world
            .folder
            .path()
            .join("scratch")
            .read_dir()
            .unwrap()
            .any(|_| true)
    );
    // What was swept away is made again.
    comes_back(&connector, "1", at(20), "{}").await;
}

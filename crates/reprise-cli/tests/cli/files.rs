//! What is wrong with times, files and selections, before anything is touched.

use crate::sandbox::{ESTATE, Sandbox, T, snapshot};

#[test]
fn a_moment_must_be_unambiguous_and_past() {
    let sandbox = Sandbox::new();
    let check = |name: &str, at: &str, code: i32| {
        let ended = sandbox.run(&[
            "plan",
            "-e",
            "estate.yaml",
            "-r",
            "runbook.yaml",
            "--at",
            at,
            "--sites",
            "all",
        ]);
        assert_eq!(ended.code, Some(code), "{ended}");
        snapshot(name, &sandbox, &ended);
    };
    check("time-without-offset", "2026-03-01T12:00:00", 2);
    check("time-malformed", "yesterday", 2);
    check("time-in-the-future", "2199-03-01T12:00:00Z", 8);
}

#[test]
fn a_selection_must_name_sites_once() {
    let sandbox = Sandbox::new();
    sandbox.write("empty.txt", "# nobody\n\n");
    sandbox.write("twice.txt", "acme-eu\nbeta-eu\nacme-eu\n");
    sandbox.write("wrong.txt", "acme-eu\nacme-uk\n");
    let check = |name: &str, sites: &str, code: i32| {
        let ended = sandbox.with_options("plan", sites, &[]);
        assert_eq!(ended.code, Some(code), "{ended}");
        assert_eq!(ended.stdout, "", "{name}");
        snapshot(name, &sandbox, &ended);
    };
    check("sites-empty", "", 4);
    check("sites-empty-file", "@empty.txt", 4);
    check("sites-no-such-file", "@none.txt", 2);
    check("sites-twice", "acme-eu,beta-eu,acme-eu", 2);
    check("sites-twice-in-file", "@twice.txt", 2);
    check("sites-mixed", "region=eu,acme-us", 2);
    check("sites-not-a-site", "@wrong.txt", 8);
    check("sites-unknown-attribute", "regoin=eu", 8);
    check("sites-none-match", "region=apac", 4);
}

#[test]
fn mistakes_in_files_are_shown_at_their_line() {
    let check = |name: &str, file: &str, text: &str| {
        let sandbox = Sandbox::new();
        sandbox.write(file, text);
        let ended = sandbox.with_options("plan", "all", &[]);
        assert_eq!(ended.code, Some(3), "{ended}");
        snapshot(name, &sandbox, &ended);
    };
    check(
        "estate-unknown-key",
        "estate.yaml",
        &ESTATE.replace("layer: metadata", "laier: metadata"),
    );
    check(
        "runbook-unknown-step",
        "runbook.yaml",
        "version: 1\nname: r\nsteps:\n  a: { scope: site, action: gate, needs: [b] }\n",
    );
    check(
        "sites-file-without-id",
        "sites.csv",
        "site,customer\nacme-eu,acme\n",
    );
}

#[test]
fn a_missing_variable_is_named_with_its_place() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["check", "-e", "estate.yaml", "--at", T]);
    command.env_remove("CONTROL_URL");
    let ended = sandbox.ended(command);
    assert_eq!(ended.code, Some(3), "{ended}");
    snapshot("variable-missing", &sandbox, &ended);

    sandbox.write(
        "prod.env",
        "CONTROL_URL=postgres://x:hunter2@127.0.0.1:1/none\n",
    );
    let mut arguments = vec!["plan", "--env-file", "prod.env"];
    arguments.extend(sandbox.options("all"));
    let mut command = sandbox.command(&arguments);
    command.env_remove("CONTROL_URL");
    assert_eq!(sandbox.ended(command).code, Some(0));
}

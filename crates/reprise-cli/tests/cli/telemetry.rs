//! What watches a run from outside: the log as JSON, spans, metrics.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::Child;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::Value;

use crate::collector::{Collector, attributes};
use crate::exposition::{Exposition, scrape};
use crate::sandbox::{Ended, Sandbox};

const SECRET: &str = "hush-hush-hush";

/// Fails once for each site, telling its secret, and then succeeds; at the
/// end a person is asked.
const RUNBOOK: &str = "\
version: 1
name: notify
pools: { load: 1 }
steps:
  notify:
    scope: site
    action: exec
    pool: load
    with: { command: [sh, twice.sh, \"{{ site.id }}\"], env: { TOKEN: \"${TOKEN}\" } }
    retry: { attempts: 2, backoff: 1ms..2ms }
  handover: { scope: site, action: gate, needs: [notify] }
";

const TWICE: &str = "\
echo \"{\\\"progress\\\":0.5}\"
test -e seen-$1 && exit 0
touch seen-$1
echo \"the token is $TOKEN\" >&2
exit 75
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("runbook.yaml", RUNBOOK);
    sandbox.write("twice.sh", TWICE);
    sandbox.write("secrets.env", &format!("TOKEN={SECRET}\n"));
    sandbox
}

fn run(sandbox: &Sandbox, sites: &str, more: &[&str]) -> Ended {
    let mut all = vec!["--env-file", "secrets.env", "--confirm"];
    let count = sites.split(',').count().to_string();
    all.push(&count);
    all.extend(more);
    sandbox.with_options("run", sites, &all)
}

/// Each line as an object with what every line must have.
fn lines(log: &str) -> Vec<Value> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect(line);
        for key in ["timestamp", "level", "target", "message"] {
            assert!(line[key].is_string(), "{key} in {line}");
        }
        line
    };
    log.lines().map(line).collect()
}

#[test]
fn the_log_as_json_is_all_of_standard_error_and_names_what_each_line_is_about() {
    let sandbox = sandbox();
    let ended = run(&sandbox, "acme-eu", &["--log-format", "json", "-vv"]);
    assert_eq!(ended.code, Some(5), "{ended}");
    assert!(ended.stdout.contains("acme-eu"), "data stays: {ended}");
    let lines = lines(&ended.stderr);
    let of = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("no `{message}`: {ended}"))
    };
    for message in ["attempt started", "attempt failed", "program started"] {
        let line = of(message);
        assert!(line["run"].is_string(), "{line}");
        assert_eq!(line["site"], "acme-eu");
        assert_eq!(line["task"], "notify/acme-eu");
        assert_eq!(line["step"], "notify");
        assert_eq!(line["action"], "exec");
        assert_eq!(line["attempt"], 1);
    }
    assert_eq!(
        of("program started")["target"],
        "reprise_connectors::generic::exec::process"
    );
    assert_eq!(of("attempt succeeded")["attempt"], 2);
    let last = lines.last().and_then(|line| line["hint"].as_str());
    assert!(
        last.is_some_and(|hint| hint.contains("reprise resume")),
        "{ended}"
    );
    let gate = of("handover/acme-eu waits for an answer");
    assert_eq!(
        (&gate["site"], &gate["level"]),
        (&"acme-eu".into(), &"WARN".into())
    );

    let usual = run(&sandbox, "acme-us", &["--log-format", "json"]);
    let levels = self::lines(&usual.stderr);
    assert!(
        levels.iter().all(|line| line["level"] != "DEBUG"),
        "{usual}"
    );
    let refused = sandbox.run(&["--log-format", "json", "status", "nobody"]);
    let told = self::lines(&refused.stderr);
    assert_eq!(told.len(), 1, "{refused}");
    assert_eq!(told[0]["level"], "ERROR");
    assert_eq!(told[0]["target"], "reprise");
    assert_eq!(told[0]["exit_code"], refused.code.expect("a code"));
}

/// Spans by name and what they are about, which must be different each time.
fn by_subject(spans: &[Span]) -> BTreeMap<String, &Span> {
    let mut found = BTreeMap::new();
    for span in spans {
        let about = attributes(&span.attributes);
        let part = |key: &str| about.get(key).map(|value| format!(" {value}"));
        let parts = match span.name.as_str() {
            "run" => vec![],
            "site" => vec![part("reprise.site")],
            _ => vec![part("reprise.task"), part("reprise.attempt")],
        };
        let parts: String = parts.into_iter().flatten().collect();
        let subject = format!("{}{parts}", span.name);
        assert!(
            found.insert(subject.clone(), span).is_none(),
            "{subject} twice"
        );
    }
    found
}

fn status(span: &Span) -> StatusCode {
    span.status
        .as_ref()
        .map_or(StatusCode::Unset, |status| status.code())
}

#[test]
fn spans_reach_a_collector_as_one_tree_also_over_a_resume() {
    let sandbox = sandbox();
    let first = Collector::start();
    let ended = run(&sandbox, "acme-eu,acme-us", &["--otlp", &first.url()]);
    assert_eq!(ended.code, Some(5), "{ended}");
    let first = first.stop();
    assert_eq!(first.resource()["service.name"], "reprise");
    assert!(first.heads[0].starts_with("POST /v1/traces HTTP/1.1"));

    let run = sandbox.run(&["runs", "--json"]).json()["runs"][0]["run"]
        .as_str()
        .expect("a run")
        .to_owned();
    let approved = sandbox.run(&["approve", &run, "handover"]);
    assert_eq!(approved.code, Some(0), "{approved}");
    let second = Collector::start();
    let mut resume = sandbox.command(&["resume", "--env-file", "secrets.env"]);
    resume.env("OTEL_EXPORTER_OTLP_ENDPOINT", second.url());
    resume.env("OTEL_RESOURCE_ATTRIBUTES", "service.name=drills,team=ops");
    let resumed = sandbox.ended(resume);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    let second = second.stop();
    let resource = second.resource();
    assert_eq!(
        (resource["service.name"].as_str(), resource["team"].as_str()),
        ("drills", "ops")
    );

    let (before, after) = (first.spans(), second.spans());
    let (before, after) = (by_subject(&before), by_subject(&after));
    let trace = &before["run"].trace_id;
    assert_eq!(trace.len(), 16);
    for span in before.values().chain(after.values()) {
        assert_eq!(&span.trace_id, trace);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        assert!(span.start_time_unix_nano > 0);
    }
    for site in ["acme-eu", "acme-us"] {
        let task = before[&format!("task notify notify/{site}")];
        let attempts = [1, 2].map(|n| before[&format!("attempt notify/{site} {n}")]);
        let [failed, done] = attempts;
        assert_eq!(
            (status(failed), status(done)),
            (StatusCode::Error, StatusCode::Ok)
        );
        assert_eq!(status(task), StatusCode::Ok);
        assert!(
            attempts
                .iter()
                .all(|attempt| attempt.parent_span_id == task.span_id)
        );
        assert!(task.start_time_unix_nano <= failed.start_time_unix_nano);
        assert!(failed.end_time_unix_nano <= done.start_time_unix_nano);
        assert!(done.end_time_unix_nano <= task.end_time_unix_nano);
        // The site was open when the first process stopped at its gate; its
        // span was left to the second, and goes back to the very start.
        let whole = after[&format!("site {site}")];
        assert_eq!(task.parent_span_id, whole.span_id);
        assert_eq!(whole.parent_span_id, before["run"].span_id);
        assert_eq!(whole.start_time_unix_nano, task.start_time_unix_nano);
        assert_eq!(status(whole), StatusCode::Ok);
        let gate = after[&format!("task handover handover/{site}")];
        assert_eq!(gate.parent_span_id, whole.span_id);
        assert!(gate.end_time_unix_nano > before["run"].end_time_unix_nano);
    }
    assert!(before["run"].parent_span_id.is_empty());
    assert_eq!(
        (status(before["run"]), status(after["run"])),
        (StatusCode::Unset, StatusCode::Ok)
    );
    assert_ne!(before["run"].span_id, after["run"].span_id);
}

#[test]
fn a_collector_that_is_away_or_silent_changes_nothing_but_one_warning() {
    let away = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = away.local_addr().expect("an address");
    drop(away);
    // Connections wait in its queue, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent
        .local_addr()
        .map(|address| (silent, address))
        .expect("an address");
    for address in [address, silent.1] {
        let sandbox = sandbox();
        let url = format!("http://{address}");
        let ended = run(&sandbox, "acme-eu", &["--otlp", &url]);
        assert_eq!(ended.code, Some(5), "{ended}");
        let warnings: Vec<_> = ended
            .stderr
            .lines()
            .filter(|line| line.contains("spans"))
            .collect();
        assert_eq!(warnings.len(), 1, "{ended}");
        assert!(
            warnings[0].contains("4 of 4 spans were not exported"),
            "{ended}"
        );
        assert!(!ended.stderr.contains(&url), "{ended}");
    }
}

#[test]
fn an_address_that_makes_no_sense_is_refused_as_an_option_and_told_as_a_variable() {
    let sandbox = sandbox();
    let refused = run(&sandbox, "acme-eu", &["--otlp", "collector:4317"]);
    assert_eq!(refused.code, Some(2), "{refused}");
    let mut arguments = vec!["run", "--confirm", "1", "--env-file", "secrets.env"];
    arguments.extend(sandbox.options("acme-eu"));
    let mut command = sandbox.command(&arguments);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    let told = sandbox.ended(command);
    assert_eq!(told.code, Some(5), "{told}");
    let message = "spans are not exported: OTEL_EXPORTER_OTLP_ENDPOINT is neither";
    assert!(told.stderr.contains(message), "{told}");
}

/// Reads standard error up to a line that holds `needle`, and gives that line.
fn wait_for(child: &mut BufReader<impl Read>, needle: &str) -> String {
    let mut seen = String::new();
    loop {
        let start = seen.len();
        let read = child.read_line(&mut seen).expect("lines");
        assert_ne!(read, 0, "no `{needle}` in: {seen}");
        if seen[start..].contains(needle) {
            return seen[start..].to_owned();
        }
    }
}

#[test]
fn metrics_can_be_read_while_a_run_waits() {
    let sandbox = sandbox();
    let mut arguments = vec![
        "run",
        "--confirm",
        "3",
        "--wait",
        "--env-file",
        "secrets.env",
    ];
    arguments.extend(["--metrics", "127.0.0.1:0"]);
    arguments.extend(sandbox.options("all"));
    let mut child: Child = sandbox
        .command(&arguments)
        .spawn()
        .expect("the binary starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
    let at = wait_for(&mut stderr, "metrics at http://");
    let address = at.trim().strip_prefix("metrics at http://");
    let address = address
        .and_then(|at| at.strip_suffix("/metrics"))
        .expect("an address");
    for _ in 0..3 {
        wait_for(&mut stderr, "waits for an answer");
    }
    let page = Exposition::parse(&scrape(address));
    assert_eq!(page.get("reprise_tasks{state=\"done\"}"), 3.0);
    assert_eq!(page.get("reprise_tasks{state=\"gated\"}"), 3.0);
    assert_eq!(page.get("reprise_sites{state=\"outstanding\"}"), 3.0);
    assert_eq!(page.get("reprise_gates_open"), 3.0);
    assert_eq!(page.get("reprise_halted"), 0.0);
    assert_eq!(page.get("reprise_waves_open"), 1.0);
    assert_eq!(page.get("reprise_pool_slots{pool=\"load\"}"), 1.0);
    assert_eq!(page.get("reprise_pool_slots_in_use{pool=\"load\"}"), 0.0);
    assert_eq!(page.get("reprise_pool_queued{pool=\"load\"}"), 0.0);
    for result in ["done", "failed"] {
        let series = format!(
            "reprise_attempts_total{{step=\"notify\",action=\"exec\",result=\"{result}\"}}"
        );
        assert_eq!(page.get(&series), 3.0);
    }
    assert_eq!(
        page.get("reprise_attempt_duration_seconds_count{step=\"notify\"}"),
        6.0
    );
    assert_eq!(page.get("reprise_rows_restored_total"), 0.0);
    let commits = page.get("reprise_journal_commits_total");
    assert_eq!(
        page.get("reprise_journal_commit_duration_seconds_count"),
        commits
    );
    assert!(page.get("reprise_journal_entries_total") >= commits && commits >= 2.0);
    let info = page
        .series()
        .find(|series| series.starts_with("reprise_run_info{"));
    assert!(
        info.is_some_and(|info| info.contains("runbook=\"notify\"")),
        "{page:?}"
    );
    let names_a_site = |series: &str| series.contains("acme") || series.contains("beta");
    assert!(!page.series().any(names_a_site), "{page:?}");

    // A second run cannot be served there, and does not start.
    let taken = run(&sandbox, "acme-eu", &["--metrics", address]);
    assert_eq!(taken.code, Some(8), "{taken}");
    assert!(taken.stderr.contains("name another port"), "{taken}");
    let runs = sandbox.run(&["runs", "--json"]).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1));
    let open = run(&sandbox, "acme-eu", &["--metrics", "0.0.0.0:9464"]);
    assert_eq!(open.code, Some(2), "{open}");

    let id = runs["runs"][0]["run"].as_str().expect("a run");
    let approved = sandbox.run(&["approve", id, "handover"]);
    assert_eq!(approved.code, Some(0), "{approved}");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("the rest");
    assert_eq!(child.wait().expect("an end").code(), Some(0), "{rest}");
}

#[test]
fn no_output_holds_a_secret() {
    let sandbox = sandbox();
    let collector = Collector::start();
    let url = collector.url();
    let mut arguments = vec!["run", "--confirm", "1", "--env-file", "secrets.env", "-vv"];
    arguments.extend([
        "--log-format",
        "json",
        "--otlp",
        &url,
        "--wait",
        "--metrics",
        "127.0.0.1:0",
    ]);
    arguments.extend(sandbox.options("acme-eu"));
    let mut command = sandbox.command(&arguments);
    command.env(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=Bearer%20sesame",
    );
    let mut child = command.spawn().expect("the binary starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
    let at = wait_for(&mut stderr, "metrics at http://");
    let at: Value = serde_json::from_str(&at).expect("a line of JSON");
    let at = at["message"].as_str().expect("a message");
    let address = at
        .trim_start_matches("metrics at http://")
        .trim_end_matches("/metrics");
    let mut log = wait_for(&mut stderr, "waits for an answer");
    let page = scrape(address);
    let runs = sandbox.run(&["runs", "--json"]).json();
    let id = runs["runs"][0]["run"].as_str().expect("a run");
    sandbox.run(&["approve", id, "handover"]);
    stderr.read_to_string(&mut log).expect("the rest");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(0), "{log}");
    let received = collector.stop();

    let spans = format!("{:?}", received.spans());
    assert!(
        spans.contains("the token is ***"),
        "the fault is there: {spans}"
    );
    assert!(
        received.heads[0].contains("Bearer sesame"),
        "{}",
        received.heads[0]
    );
    let report = String::from_utf8_lossy(&output.stdout);
    for text in [&log, &page, &spans, &*report] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains("sesame"), "{text}");
    }
}

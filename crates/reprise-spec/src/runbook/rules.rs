//! What ties the steps of a runbook to each other and to their actions.
//! Cycles are the plan's to find: it knows the tasks.

use reprise_model::{Action, Scope};

use crate::Code;
use crate::diagnostic::Report;
use crate::nearest::{did_you_mean, list};
use crate::reference::is_variable_name;
use crate::texts::{check_condition, check_references, check_template};
use crate::yaml::{Entry, Node};

use super::references;

pub(super) fn check(root: &Node, report: &Report) {
    let entries = |key| root.get(key).map_or(&[][..], Node::entries);
    let (steps, pools) = (entries("steps"), entries("pools"));
    for step in steps {
        check_scope(step, report);
        check_needs(step, steps, report);
        check_pool(step, pools, report);
        check_texts(step, report);
    }
    check_waves(root, report);
}

fn scope_of(step: &Node) -> Option<Scope> {
    let word = step.text_at("scope")?;
    Scope::ALL.into_iter().find(|scope| scope.as_str() == word)
}

fn action_of(step: &Node) -> Option<Action> {
    let word = step.text_at("action")?;
    Action::ALL
        .into_iter()
        .find(|action| action.as_str() == word)
}

/// The scopes in which an action makes sense.
fn scopes_of(action: Action) -> &'static [Scope] {
    match action {
        Action::Recover | Action::Release => &[Scope::Shard],
        Action::Restore | Action::Verify | Action::CheckConsistency | Action::CheckReferences => {
            &[Scope::Site]
        }
        Action::Gate | Action::Exec | Action::HttpCheck | Action::TcpCheck => &Scope::ALL,
    }
}

fn check_scope(step: &Entry, report: &Report) {
    let node = &step.value;
    let (Some(scope), Some(action)) = (scope_of(node), action_of(node)) else {
        return;
    };
    let span = node
        .get("scope")
        .map_or(step.key_span.clone(), |at| at.span.clone());
    let fitting = scopes_of(action);
    if !fitting.contains(&scope) {
        let message = format!(
            "`{}` does not work in scope `{}`",
            action.as_str(),
            scope.as_str()
        );
        let words = list(fitting.iter().map(|scope| scope.as_str()));
        let error = report.error(Code::Mismatch, span, message);
        report.push(error.help(format!("its scope is {words}")));
    } else if scope == Scope::Shard && !action.wants_store() && node.entry("store").is_none() {
        let message = format!("step `{}` has scope `shard` and no `store`", step.key);
        let error = report.error(Code::MissingKey, step.key_span.clone(), message);
        report.push(error.help("say whose shards are meant"));
    }
}

fn check_needs(step: &Entry, steps: &[Entry], report: &Report) {
    let needs = step.value.get("needs").map_or(&[][..], Node::items);
    for (index, need) in needs.iter().enumerate() {
        let Some(name) = need.text() else { continue };
        let error = |code, message: String| report.error(code, need.span.clone(), message);
        if name == step.key {
            report.push(error(Code::Mismatch, format!("step `{name}` needs itself")));
        } else if needs[..index]
            .iter()
            .any(|other| other.text() == Some(name))
        {
            report.push(error(Code::Duplicate, format!("`{name}` is needed twice")));
        } else if steps.iter().all(|other| other.key != name) {
            let names = steps.iter().map(|other| other.key.as_str());
            let names = names.filter(|other| *other != step.key);
            let help = did_you_mean(name, "steps", names);
            report.push(error(Code::UnknownName, format!("there is no step `{name}`")).help(help));
        }
    }
}

fn check_pool(step: &Entry, pools: &[Entry], report: &Report) {
    let Some(node) = step.value.get("pool") else {
        return;
    };
    let Some(name) = node.text() else { return };
    if pools.iter().all(|pool| pool.key != name) {
        let message = format!("there is no pool `{name}`");
        let names = pools.iter().map(|pool| pool.key.as_str());
        let error = report.error(Code::UnknownName, node.span.clone(), message);
        report.push(error.help(did_you_mean(name, "pools", names)));
    }
}

/// Templates see what a task of the step has.
fn check_texts(step: &Entry, report: &Report) {
    let Some(scope) = scope_of(&step.value) else {
        return;
    };
    let has_store = step.value.entry("store").is_some();
    let (allowed, why_not): (&[&str], _) = match scope {
        Scope::Run => (
            &["target_time"],
            "a task of scope `run` has no site and no shard",
        ),
        Scope::Shard => (
            &["shard", "target_time"],
            "a task of scope `shard` serves many sites",
        ),
        Scope::Site if has_store => (&["site", "shard", "target_time"], ""),
        Scope::Site => (
            &["site", "target_time"],
            "the step names no store, so it has no shard",
        ),
    };
    if let Some(when) = step.value.get("when") {
        // Asked while the plan is made, of each site or shard.
        let about = allowed
            .iter()
            .copied()
            .filter(|name| *name != "target_time");
        let about: Vec<&str> = about.collect();
        let why_not = match why_not {
            "" => "a condition is about the site or the shard",
            why_not => why_not,
        };
        check_condition(when, &about, why_not, report);
    }
    let Some(with) = step.value.get("with") else {
        return;
    };
    if action_of(&step.value) == Some(Action::CheckReferences) {
        return references::check(with, report);
    }
    for (node, _) in with.scalars() {
        check_template(node, allowed, why_not, report);
        check_references(node, report);
    }
    for entry in with.get("env").map_or(&[][..], Node::entries) {
        if !is_variable_name(&entry.key) {
            let message = format!("`{}` cannot be the name of a variable", entry.key);
            report.push(report.error(Code::BadValue, entry.key_span.clone(), message));
        }
    }
}

fn check_waves(root: &Node, report: &Report) {
    let waves = root.get("waves").map_or(&[][..], Node::items);
    let Some((_, earlier)) = waves.split_last() else {
        return;
    };
    for wave in earlier.iter().filter(|wave| wave.text() == Some("rest")) {
        let message = "`rest` leaves nothing for the waves after it";
        let error = report.error(Code::Mismatch, wave.span.clone(), message);
        report.push(error.help("write it last, or not at all"));
    }
}

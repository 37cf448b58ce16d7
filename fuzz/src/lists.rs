//! Site lists, tables of sites, selections, times, and env-files, whose values
//! are never shown.

use reprise_model::{Timestamp, parse_duration};
use reprise_spec::{Environment, Scene, Selection, Template, read_site_list, read_sites_csv};

use crate::{sample, shown};

pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Err(found) = read_site_list(text, sample::path()) {
        shown::diagnostics(&found);
    }
    if let Err(found) = read_sites_csv(text, sample::path()) {
        shown::diagnostics(&found);
    }
    let _ = Selection::parse(text).map_err(|error| error.to_string());
    moments(text);
    template(text);
    if !text.contains(shown::PLANTED) {
        env_file(text);
    }
}

/// A template ends, and says what is wrong with it.
fn template(text: &str) {
    let site = sample::plan().sites[0].clone();
    let scene = Scene::new("here").site(&site.id, &site.attributes);
    let _ = Template::render(text, &scene).map_err(|error| error.to_string());
    let _ = Template::condition(text, &scene).map_err(|error| error.to_string());
}

/// What is read is written so that it is read again.
fn moments(text: &str) {
    let _ = parse_duration(text).map(reprise_model::format_duration);
    if let Ok(moment) = text.parse::<Timestamp>() {
        assert_eq!(moment.to_string().parse(), Ok(moment));
    }
}

/// Every value is a secret: that of a line in the middle is not shown,
/// whatever is wrong around it.
fn env_file(text: &str) {
    let none: [(&str, &str); 0] = [];
    let lines: Vec<&str> = text.split('\n').take(4).collect();
    for at in 0..=lines.len() {
        let (before, after) = lines.split_at(at);
        let planted = format!("1KEY=\"{0}\nKEY='{0}'\nKEY={0}", shown::PLANTED);
        let file = [before.join("\n"), planted, after.join("\n")].join("\n");
        let page = match Environment::new(none).with_env_file(&file, sample::path()) {
            Ok(environment) => {
                let resolved = environment.resolve_str(text, "here");
                let resolved = resolved.map_err(|error| error.to_string());
                format!("{environment:?} {resolved:?}")
            }
            Err(found) => shown::diagnostics(&found),
        };
        shown::hides_the_secret(&page);
    }
}

//! Where a site's files are, and that no path leads elsewhere.

use reprise_model::Fault;
use reprise_ports::CallSite;

use super::config::Render;

/// The path of a site's file or folder, as its components.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SitePath(String);

impl SitePath {
    pub fn of(template: &str, render: &Render, site: &CallSite) -> Result<Self, Fault> {
        // A value with a slash would be a way into a neighbour's folder.
        for (name, value) in [("id", site.id.as_str())].into_iter().chain(
            site.attributes
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        ) {
            let is_used = template.contains(name);
            if is_used && !is_component(value) {
                return Err(Fault::permanent(format!(
                    "site.{name} `{value}` cannot stand in a path"
                )));
            }
        }
        let path = render(template, site).map_err(Fault::permanent)?;
        let path = path.trim_end_matches('/');
        if !is_safe(path) {
            return Err(Fault::permanent(format!(
                "`{path}` is no path below the repository"
            )));
        }
        Ok(Self(path.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn is_component(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && !text.eq_ignore_ascii_case(".git")
        && !text.contains(['/', '\0'])
}

/// Whether every component names a file or folder of its own.
pub(super) fn is_safe(path: &str) -> bool {
    path.split('/').all(is_component)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn no_path_leads_elsewhere() {
        let render: Render = Arc::new(|text: &str, site: &CallSite| {
            Ok(text.replace("{{ site.id }}", site.id.as_str()))
        });
        let path = |template: &str, id: &str| {
            let site = CallSite {
                id: id.into(),
                attributes: BTreeMap::new(),
            };
            SitePath::of(template, &render, &site).map(|path| path.0)
        };
        assert_eq!(path("sites/{{ site.id }}/", "17").unwrap(), "sites/17");
        for id in ["..", "a/b", "../17", "", ".git"] {
            assert!(path("sites/{{ site.id }}/", id).is_err(), "{id}");
        }
        for template in [
            "/etc",
            "../x",
            "a/../b",
            "a//b",
            "",
            "/",
            ".git/config",
            "x/.GIT/y",
        ] {
            assert!(path(template, "17").is_err(), "{template}");
        }
        let of_site = SitePath("sites/1".to_owned());
        assert!(of_site.holds("sites/1/a") && of_site.holds("sites/1"));
        assert!(!of_site.holds("sites/17/a"));
    }
}

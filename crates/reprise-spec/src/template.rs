//! Templates: `{{ site.id }}` and conditions, over minijinja.
//!
//! A name that is not there is an error that says what is; it never renders
//! as nothing. `${NAME}` is no template and passes through untouched, so that
//! secrets are filled in as late as possible.

mod scene;
mod values;

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

pub use scene::Scene;
use values::{Missing, Watch};

/// Steps of a rendering: loops within loops must not hold up a run.
const FUEL: u64 = 100_000;

/// Names that a template may start with.
pub(crate) const ROOTS: [&str; 4] = ["site", "app", "shard", "target_time"];

/// Renders texts, and maps of texts, in a [`Scene`].
#[derive(Clone, Copy, Debug)]
pub struct Template;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("{place}: the site has no attribute `{name}`; it has {}", known.join(", "))]
    NoAttribute {
        place: String,
        name: String,
        known: Vec<String>,
    },
    #[error("{place}: there is no `{name}` here; there is {}", known.join(", "))]
    NoValue {
        place: String,
        name: String,
        known: Vec<String>,
    },
    #[error("{place}: the template is malformed: {why}")]
    Malformed { place: String, why: String },
    #[error("{place}: the template cannot be rendered: {why}")]
    Failed { place: String, why: String },
    #[error("{place}: the condition yields `{found}`, neither true nor false")]
    NotBoolean { place: String, found: String },
}

impl Template {
    pub fn render(text: &str, scene: &Scene<'_>) -> Result<String, TemplateError> {
        if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
            return Ok(text.to_owned());
        }
        let watch = Watch::default();
        ENVIRONMENT
            .render_str(text, watch.context(scene))
            .map_err(|error| failed(scene, &error, &watch))
    }

    /// Renders every text in a value of a step's `with`; keys stay as they are.
    pub fn render_value(value: &Value, scene: &Scene<'_>) -> Result<Value, TemplateError> {
        Ok(match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => Value::String(Self::render(text, scene)?),
            Value::Array(items) => {
                let items = items.iter().map(|item| Self::render_value(item, scene));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let pairs = map
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), Self::render_value(item, scene)?)));
                Value::Object(pairs.collect::<Result<_, _>>()?)
            }
        })
    }

    /// Evaluates a `when:`, written bare or in `{{ }}`. Only true and false
    /// are answers: an attribute is text, and no text is a condition.
    pub fn condition(text: &str, scene: &Scene<'_>) -> Result<bool, TemplateError> {
        let watch = Watch::default();
        let value = ENVIRONMENT
            .compile_expression_owned(bare(text).to_owned())
            .map_err(|error| failed(scene, &error, &watch))?
            .eval(watch.context(scene))
            .map_err(|error| failed(scene, &error, &watch))?;
        bool::try_from(value.clone())
            .ok()
            .filter(|_| value.kind() == ValueKind::Bool)
            .ok_or_else(|| TemplateError::NotBoolean {
                place: scene.place.to_owned(),
                found: value.to_string(),
            })
    }
}

/// A condition without its `{{ }}`.
fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("{{")
        .and_then(|inner| inner.strip_suffix("}}"))
        .filter(|inner| !inner.contains("{{"))
        .map_or(text, str::trim)
}

/// Made once: a plan asks a condition of every site.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .expect("the delimiters are minijinja's own");
    environment.set_syntax(syntax);
    environment
}

/// The names a template starts from, or why it is none.
pub(crate) fn roots_of_text(text: &str) -> Result<Vec<String>, String> {
    let environment = environment();
    let template = environment
        .template_from_str(text)
        .map_err(|error| why(&error))?;
    Ok(sorted(template.undeclared_variables(false)))
}

/// The same for a condition.
pub(crate) fn roots_of_condition(text: &str) -> Result<Vec<String>, String> {
    let environment = environment();
    let expression = environment
        .compile_expression(bare(text))
        .map_err(|error| why(&error))?;
    Ok(sorted(expression.undeclared_variables(false)))
}

fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names
}

fn why(error: &minijinja::Error) -> String {
    error.detail().unwrap_or("it does not parse").to_owned()
}

fn failed(scene: &Scene<'_>, error: &minijinja::Error, watch: &Watch) -> TemplateError {
    let place = scene.place.to_owned();
    match (error.kind(), watch.last_missing()) {
        (ErrorKind::SyntaxError, _) => TemplateError::Malformed {
            place,
            why: why(error),
        },
        (ErrorKind::UndefinedError, Some(Missing::Attribute(name))) => TemplateError::NoAttribute {
            place,
            name,
            known: scene.attribute_names(),
        },
        (ErrorKind::UndefinedError, Some(Missing::OfApp(name))) => TemplateError::NoValue {
            place,
            name: format!("app.{name}"),
            known: scene.app_names(),
        },
        (ErrorKind::UndefinedError, Some(Missing::Root(name))) => TemplateError::NoValue {
            place,
            name,
            known: scene.root_names(),
        },
        (kind, _) => TemplateError::Failed {
            place,
            why: error.detail().map_or(kind.to_string(), str::to_owned),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use reprise_model::{ShardId, SiteId};
    use serde_json::json;

    use super::*;

    fn in_scene<T>(look: impl FnOnce(&Scene<'_>) -> T) -> T {
        let (id, shard) = (SiteId::from("4711"), ShardId::from("s01"));
        let attribute = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let attributes = BTreeMap::from([attribute("tier", "gold"), attribute("shard", "s02")]);
        let values = BTreeMap::from([attribute("target_time", "2026-03-01T12:00:00Z")]);
        let scene = Scene::new("steps.reachable.with.url")
            .site(&id, &attributes)
            .shard(&shard)
            .values(&values);
        look(&scene)
    }

    #[test]
    fn texts_are_rendered() {
        let check = |text: &str, expect: Result<&str, &str>| {
            let rendered = in_scene(|scene| Template::render(text, scene));
            let rendered = rendered.map_err(|error| error.to_string());
            let expect = expect.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(rendered, expect, "{text}");
        };
        check("plain {x}", Ok("plain {x}"));
        check(
            "{{ site.id }}/{{ site.shard }}/{{ shard }}/{{ target_time }}",
            Ok("4711/s02/s01/2026-03-01T12:00:00Z"),
        );
        check("${TOKEN} <{{ site.id }}>", Ok("${TOKEN} <4711>"));
        check("{{ site.host | default('none') }}", Ok("none"));
        check("{{ site.id }}\n", Ok("4711\n"));
        check(
            "{{ site.host }}",
            Err(
                "steps.reachable.with.url: the site has no attribute `host`; \
                 it has id, shard, tier",
            ),
        );
        check(
            "{{ sit.host }}",
            Err("steps.reachable.with.url: there is no `sit` here; \
                 there is shard, site, target_time"),
        );
        check(
            "{{ site.id",
            Err("steps.reachable.with.url: the template is malformed: \
                 unexpected end of input, expected end of variable block"),
        );
    }

    #[test]
    fn values_are_rendered_to_the_bottom() {
        let value = json!({ "{{ k }}": ["{{ site.id }}", 1, { "a": "{{ shard }}" }], "b": null });
        let rendered = in_scene(|scene| Template::render_value(&value, scene)).unwrap();
        assert_eq!(
            rendered,
            json!({ "{{ k }}": ["4711", 1, { "a": "s01" }], "b": null })
        );
    }

    #[test]
    fn conditions_are_true_or_false() {
        let check = |text: &str, expect: Result<bool, &str>| {
            let held = in_scene(|scene| Template::condition(text, scene));
            let held = held.map_err(|error| error.to_string());
            assert_eq!(held, expect.map_err(str::to_owned), "{text}");
        };
        check("site.tier == 'gold'", Ok(true));
        check("{{ site.tier == 'gold' }}", Ok(true));
        check("site.tier in ['silver'] or shard == 's02'", Ok(false));
        check("site.host is defined", Ok(false));
        check(
            "site.tier",
            Err("steps.reachable.with.url: the condition yields `gold`, neither true nor false"),
        );
        check(
            "site.teir == 'gold'",
            Err(
                "steps.reachable.with.url: the site has no attribute `teir`; \
                 it has id, shard, tier",
            ),
        );
    }

    #[test]
    fn a_template_that_does_not_end_is_ended() {
        let text =
            "{% for i in range(9999) %}{% for j in range(9999) %}{{ i }}{% endfor %}{% endfor %}";
        let failed = Template::render(text, &Scene::new("here")).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "here: the template cannot be rendered: engine ran out of fuel"
        );
    }
}

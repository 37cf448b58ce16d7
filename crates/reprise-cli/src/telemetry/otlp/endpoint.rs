//! Which collector is meant: the option, else what OpenTelemetry's own
//! variables say.

use crate::failure::Failure;

const FOR_ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const FOR_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const PATH: &str = "/v1/traces";

/// The address that spans are posted to. The variable for traces names it as
/// it is; the option and the variable for all signals name what it lies under.
pub(super) fn find(
    option: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, Failure> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    if let Some(url) = option {
        return checked("--otlp", &under(url)).map(Some);
    }
    let is = |name: &str, off: &str| set(name).is_some_and(|value| value.eq_ignore_ascii_case(off));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    if let Some(url) = set(FOR_TRACES) {
        return checked(FOR_TRACES, url.trim()).map(Some);
    }
    let all = set(FOR_ALL);
    all.map(|url| checked(FOR_ALL, &under(url.trim())))
        .transpose()
}

fn under(base: &str) -> String {
    let base = base.trim_end_matches('/');
    match base.ends_with(PATH) {
        true => base.to_owned(),
        false => format!("{base}{PATH}"),
    }
}

/// Names the place and never the value, which may hold a token.
fn checked(place: &str, url: &str) -> Result<String, Failure> {
    let wrong = |what: &str| {
        Failure::usage(format!("{place} {what}"))
            .hint("the address of a collector is such as http://127.0.0.1:4318")
    };
    let parsed = reqwest::Url::parse(url).map_err(|_| wrong("is no URL"))?;
    if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
        return Err(wrong("is neither http:// nor https://"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(wrong("holds a password").hint(
            "credentials go into OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Bearer%20...",
        ));
    }
    Ok(parsed.to_string())
}

pub(super) fn unusable() -> Failure {
    Failure::usage("OTLP cannot be set up from the option and the OTEL_ variables")
        .hint("the variables are described in docs/reference/observability.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_comes_first_then_the_variable_for_traces_then_the_one_for_all() {
        let check = |option, variables: &[(&str, &str)], expect: Result<Option<&str>, &str>| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let found = find(option, variable).map_err(|failure| failure.message);
            let expect = expect
                .map(|url| url.map(str::to_owned))
                .map_err(str::to_owned);
            assert_eq!(found, expect, "{option:?} {variables:?}");
        };
        let base = "http://127.0.0.1:4318";
        let full = Ok(Some("http://127.0.0.1:4318/v1/traces"));
        let other = [(FOR_ALL, "http://127.0.0.1:1")];
        check(None, &[], Ok(None));
        check(None, &[(FOR_ALL, " ")], Ok(None));
        check(Some(base), &other, full);
        check(Some("http://127.0.0.1:4318/v1/traces"), &[], full);
        check(None, &[(FOR_ALL, "http://127.0.0.1:4318/")], full);
        check(
            None,
            &[(FOR_TRACES, "http://127.0.0.1:4318/in"), other[0]],
            Ok(Some("http://127.0.0.1:4318/in")),
        );
        check(None, &[other[0], ("OTEL_SDK_DISABLED", "true")], Ok(None));
        check(
            None,
            &[other[0], ("OTEL_TRACES_EXPORTER", "none")],
            Ok(None),
        );
        check(Some("collector"), &[], Err("--otlp is no URL"));
        check(
            Some("ftp://127.0.0.1"),
            &[],
            Err("--otlp is neither http:// nor https://"),
        );
        check(
            None,
            &[(FOR_ALL, "https://me:hush@127.0.0.1")],
            Err("OTEL_EXPORTER_OTLP_ENDPOINT holds a password"),
        );
    }
}

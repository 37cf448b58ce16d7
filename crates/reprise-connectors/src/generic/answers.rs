//! What any client of HTTP needs: whom to trust, how long to wait, why there
//! was no answer.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reprise_model::Elapsed;
use reprise_ports::Call;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Certificate, ClientBuilder};

/// No vendor makes a run wait longer than this before it asks again.
const LONGEST_WAIT: u64 = 86_400;

/// A client that trusts the authorities of a file, or the system's.
pub(crate) fn trusting(builder: ClientBuilder, ca: Option<&Path>) -> Result<ClientBuilder, String> {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(path) = ca else {
        return Ok(builder);
    };
    let shown = path.display();
    let pem = std::fs::read(path)
        .map_err(|error| format!("the authorities in {shown} cannot be read: {error}"))?;
    let certificates = Certificate::from_pem_bundle(&pem)
        .map_err(|_| format!("{shown} holds no certificates in PEM"))?;
    if certificates.is_empty() {
        return Err(format!("{shown} holds no certificates in PEM"));
    }
    Ok(builder.tls_certs_only(certificates))
}

/// `Retry-After` in seconds, or as a date, which is held against the other
/// side's own clock where it tells it.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Elapsed> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let after = text(RETRY_AFTER)?.trim();
    let seconds = match after.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let now = text(DATE)
                .and_then(moment)
                .or_else(|| Timestamp::try_from(SystemTime::now()).ok())?;
            let wait = moment(after)?.as_second() - now.as_second();
            u64::try_from(wait).unwrap_or(0)
        }
    };
    Some(Elapsed::from_secs(seconds.min(LONGEST_WAIT)))
}

fn moment(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// The last cause says what happened: `connection refused`, `unknown issuer`.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

/// A certificate that is not accepted, told as such.
pub(super) fn certificate_error(why: &str) -> Option<String> {
    let what = why.strip_prefix("invalid peer certificate: ")?;
    Some(format!("its certificate is not accepted: {what}"))
}

/// Whose task it is goes first.
pub(super) fn on_site(call: &Call, what: &str) -> String {
    match &call.site {
        Some(site) => format!("site {}: {what}", site.id),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        let check = |pairs: &[(HeaderName, &str)], expect: Option<u64>| {
            let headers = pairs
                .iter()
                .map(|(name, text)| (name.clone(), text.parse().unwrap()));
            let found = retry_after(&headers.collect());
            assert_eq!(found, expect.map(Elapsed::from_secs), "{pairs:?}");
        };
        check(&[], None);
        check(&[(RETRY_AFTER, "7")], Some(7));
        check(&[(RETRY_AFTER, "99999999999999")], Some(LONGEST_WAIT));
        check(&[(RETRY_AFTER, "soon")], None);
        let date = (DATE, "Sun, 01 Mar 2026 12:00:00 GMT");
        check(
            &[date.clone(), (RETRY_AFTER, "Sun, 01 Mar 2026 12:01:30 GMT")],
            Some(90),
        );
        check(
            &[date, (RETRY_AFTER, "Sun, 01 Mar 2026 11:00:00 GMT")],
            Some(0),
        );
        check(&[(RETRY_AFTER, "Wed, 01 Jan 2020 00:00:00 GMT")], Some(0));
    }
}

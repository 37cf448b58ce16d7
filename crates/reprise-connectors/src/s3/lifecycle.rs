//! Which versions the bucket's lifecycle rules may have dropped since T.
//!
//! A rule counts by its prefix alone: what it says of tags and sizes depends on
//! objects that may be gone. A rule that sets delete markers drops nothing, nor
//! does one that takes away markers without a version below them.

use std::time::Duration;

use reprise_model::{Fault, FaultKind, Timestamp};
use reprise_ports::Level;
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

use super::client::{Bucket, Request};
use super::xml::{self, Element};

const DAY: Duration = Duration::from_secs(86_400);

/// Whose keys are asked about.
#[derive(Clone, Copy, Debug)]
pub enum Below<'a> {
    /// The prefixes of sites.
    Sites(&'a [String]),
    /// What the prefixes of all sites begin with.
    All(&'a str),
}

/// Whether versions of T can be missing because of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// `Error` where all that was asked about is concerned, `Warning` where a
    /// part of it is, `Unknown` where nobody could look.
    pub level: Level,
    pub words: String,
}

/// A rule that drops versions.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    id: String,
    prefix: String,
    /// Nothing is dropped earlier after it stopped being current.
    days: u64,
    /// It drops whatever is that old, not only what its tags or sizes say.
    is_sure: bool,
}

impl Rule {
    fn touches(&self, prefix: &str) -> bool {
        prefix.starts_with(&self.prefix) || self.prefix.starts_with(prefix)
    }

    fn since(&self, clock: Timestamp) -> Timestamp {
        let days = u32::try_from(self.days);
        clock.saturating_sub(days.map_or(Duration::MAX, |days| DAY.saturating_mul(days)))
    }
}

/// `clock` is the server's.
pub async fn look(
    bucket: &Bucket,
    target: Timestamp,
    clock: Timestamp,
    below: Below<'_>,
    cancelled: &CancellationToken,
) -> Result<Kept, Fault> {
    match rules(bucket, cancelled).await {
        Ok(rules) => Ok(judge(&rules, target, clock, below)),
        Err(fault) if fault.kind.may_pass() || fault.kind == FaultKind::Cancelled => Err(fault),
        Err(fault) => Ok(Kept {
            level: Level::Unknown,
            words: format!(
                "whether a rule of the bucket has dropped versions could not be read: {}",
                fault.message
            ),
        }),
    }
}

fn judge(rules: &[Rule], target: Timestamp, clock: Timestamp, below: Below<'_>) -> Kept {
    let touching: Vec<&Rule> = rules
        .iter()
        .filter(|rule| match below {
            Below::Sites(prefixes) => prefixes.iter().any(|prefix| rule.touches(prefix)),
            Below::All(lead) => rule.touches(lead),
        })
        .collect();
    let Some(first) = touching.iter().min_by_key(|rule| rule.days) else {
        return Kept {
            level: Level::Ok,
            words: "no rule of the bucket drops versions there".to_owned(),
        };
    };
    let reaches = format!(
        "rule `{}` drops versions below `{}` after {} days, so that the bucket reaches back to {}",
        first.id,
        first.prefix,
        first.days,
        first.since(clock)
    );
    let late = |rule: &&&Rule| target < rule.since(clock);
    let late: Vec<&Rule> = touching.iter().filter(late).copied().collect();
    if late.is_empty() {
        return Kept {
            level: Level::Ok,
            words: reaches,
        };
    }
    let sure: Vec<&Rule> = late.iter().filter(|rule| rule.is_sure).copied().collect();
    if sure.is_empty() {
        let words = format!(
            "rule `{}` may have dropped versions of {target} below `{}`: whether it did depends on tags, sizes or the age of objects that may be gone",
            late[0].id, late[0].prefix
        );
        return Kept {
            level: Level::Warning,
            words,
        };
    }
    let (level, whose) = concerned(&sure, below);
    Kept {
        level,
        words: format!("{reaches}, and not to {target}{whose}"),
    }
}

fn concerned(late: &[&Rule], below: Below<'_>) -> (Level, String) {
    match below {
        Below::All(lead) if late.iter().any(|rule| lead.starts_with(&rule.prefix)) => {
            (Level::Error, String::new())
        }
        Below::All(_) => (Level::Warning, ": sites below it are refused".to_owned()),
        Below::Sites(prefixes) => {
            let of = |prefix: &&String| late.iter().any(|rule| rule.touches(prefix));
            let count = prefixes.iter().filter(of).count();
            match count == prefixes.len() {
                true => (Level::Error, String::new()),
                false => {
                    let first = prefixes.iter().find(of).map_or("", String::as_str);
                    let whose = format!(
                        ": {count} of {} sites are refused, such as that of `{first}`",
                        prefixes.len()
                    );
                    (Level::Warning, whose)
                }
            }
        }
    }
}

async fn rules(bucket: &Bucket, cancelled: &CancellationToken) -> Result<Vec<Rule>, Fault> {
    let request = Request {
        query: vec![("lifecycle", "")],
        ..Request::default()
    };
    let answer = bucket.ask(&request, cancelled).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(Vec::new());
    }
    if !answer.status.is_success() {
        return Err(bucket.refusal(&request, &answer));
    }
    let all = xml::parse(&answer.body)
        .map_err(|why| Fault::permanent(format!("{}: lifecycle: {why}", bucket.end)))?;
    Ok(all.children.iter().filter_map(rule).collect())
}

/// A rule that is on and drops versions; another is none.
fn rule(element: &Element) -> Option<Rule> {
    if element.name != "Rule" || element.text_of("Status") == Some("Disabled") {
        return None;
    }
    let filter = element.child("Filter");
    let narrow = filter.and_then(|filter| filter.child("And")).or(filter);
    let prefix = narrow.and_then(|narrow| narrow.text_of("Prefix"));
    let prefix = prefix.or_else(|| element.text_of("Prefix"));
    Some(Rule {
        id: element.text_of("ID").unwrap_or("without a name").to_owned(),
        prefix: prefix.unwrap_or_default().to_owned(),
        days: days(element)?,
        is_sure: !narrow.is_some_and(is_narrowed) && drops_by_age_alone(element),
    })
}

/// To some of the objects below its prefix.
fn is_narrowed(filter: &Element) -> bool {
    filter.children.iter().any(|one| one.name != "Prefix")
}

/// `ExpiredObjectAllVersions` counts from when the object was made.
fn drops_by_age_alone(rule: &Element) -> bool {
    let noncurrent = rule.child("NoncurrentVersionExpiration");
    noncurrent
        .or_else(|| rule.child("DelMarkerExpiration"))
        .is_some()
}

/// A number that is missing may be any.
fn days(rule: &Element) -> Option<u64> {
    let after = |element: &Element, name| {
        let days = element
            .text_of(name)
            .and_then(|text| text.trim().parse().ok());
        days.unwrap_or(0)
    };
    let noncurrent = rule.child("NoncurrentVersionExpiration");
    // MinIO's: with a marker, or with the object, go all versions of its key.
    let marked = rule.child("DelMarkerExpiration");
    let all = rule
        .child("Expiration")
        .filter(|expired| expired.text_of("ExpiredObjectAllVersions") == Some("true"));
    let found = [
        noncurrent.map(|dropped| after(dropped, "NoncurrentDays")),
        marked.map(|dropped| after(dropped, "Days")),
        // From when they were made, which for some is long before T.
        all.map(|_| 0),
    ];
    found.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000_000;

    fn kept(rule_text: &str, days_ago: u32, below: Below<'_>) -> Level {
        let text = format!("<L><Rule><Status>Enabled</Status>{rule_text}</Rule></L>");
        let root = xml::parse(text.as_bytes()).expect("well formed");
        let rules: Vec<Rule> = root.children.iter().filter_map(rule).collect();
        let now = Timestamp::from_micros(NOW);
        judge(&rules, now.saturating_sub(DAY * days_ago), now, below).level
    }

    #[test]
    fn a_rule_counts_where_it_may_touch_the_site_and_no_further() {
        let drops = "<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>";
        let site = ["sites/a/".to_owned()];
        let both = ["sites/a/".to_owned(), "sites/b/".to_owned()];
        for (filter, one, two, lead) in [
            ("", Level::Error, Level::Error, Level::Error),
            ("<Filter/>", Level::Error, Level::Error, Level::Error),
            (
                "<Prefix>si</Prefix>",
                Level::Error,
                Level::Error,
                Level::Error,
            ),
            (
                "<Filter><Prefix>logs/</Prefix></Filter>",
                Level::Ok,
                Level::Ok,
                Level::Ok,
            ),
            (
                "<Filter><Prefix>sites/a/tmp/</Prefix></Filter>",
                Level::Error,
                Level::Warning,
                Level::Warning,
            ),
            (
                "<Filter><And><Prefix>sites/b/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>",
                Level::Ok,
                Level::Warning,
                Level::Warning,
            ),
            // Whose objects had the tag, nobody knows: it is told.
            (
                "<Filter><Tag><Key>Prefix</Key><Value>v</Value></Tag></Filter>",
                Level::Warning,
                Level::Warning,
                Level::Warning,
            ),
        ] {
            let text = format!("{filter}{drops}");
            let found = |below| kept(&text, 8, below);
            assert_eq!(found(Below::Sites(&site)), one, "{filter}");
            assert_eq!(found(Below::Sites(&both)), two, "{filter}");
            assert_eq!(found(Below::All("sites/")), lead, "{filter}");
            assert_eq!(kept(&text, 6, Below::Sites(&both)), Level::Ok, "{filter}");
        }
    }

    #[test]
    fn only_what_drops_versions_counts() {
        let site = ["sites/a/".to_owned()];
        for (rule, expect) in [
            ("<Expiration><Days>1</Days></Expiration>", Level::Ok),
            (
                "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
                Level::Ok,
            ),
            (
                "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionTransition>",
                Level::Ok,
            ),
            (
                "<NoncurrentVersionExpiration><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
                Level::Error,
            ),
            (
                "<DelMarkerExpiration><Days>1</Days></DelMarkerExpiration>",
                Level::Error,
            ),
            (
                "<Expiration><Days>90</Days><ExpiredObjectAllVersions>true</ExpiredObjectAllVersions></Expiration>",
                Level::Warning,
            ),
        ] {
            assert_eq!(kept(rule, 8, Below::Sites(&site)), expect, "{rule}");
        }
        let off = "<L><Rule><Status>Disabled</Status><NoncurrentVersionExpiration/></Rule></L>";
        let off = xml::parse(off.as_bytes()).expect("well formed");
        assert_eq!(off.children.iter().find_map(rule), None);
    }
}

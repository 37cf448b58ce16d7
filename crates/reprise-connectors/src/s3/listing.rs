//! All versions below a prefix, page by page, in the server's order.

use reprise_model::{Fault, Timestamp};
use reqwest::Method;
use tokio_util::sync::CancellationToken;

use super::client::{Bucket, Request};
use super::history::{History, Object, Version};
use super::xml::Element;

/// As many as a page of S3 has at most.
const PAGE: &str = "1000";

/// More versions than one site's listing holds in memory: about 2 GiB.
const MOST_VERSIONS: usize = 10_000_000;

/// Hands over every version below `prefix`, in the server's order. It holds a
/// page at a time.
pub async fn each(
    bucket: &Bucket,
    prefix: &str,
    cancelled: &CancellationToken,
    mut take: impl FnMut(String, Version) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut from: Option<(String, String)> = None;
    loop {
        let mut query = vec![("versions", ""), ("prefix", prefix), ("max-keys", PAGE)];
        if let Some((key, version)) = &from {
            query.push(("key-marker", key));
            if !version.is_empty() {
                query.push(("version-id-marker", version));
            }
        }
        let request = Request {
            query,
            ..Request::default()
        };
        let page = bucket.tree(&request, cancelled).await?;
        for element in &page.children {
            let (key, version) = match entry(element) {
                Some(Ok(found)) => found,
                Some(Err(why)) => return Err(broken(bucket, &why)),
                None => continue,
            };
            if !key.starts_with(prefix) {
                return Err(broken(
                    bucket,
                    "holds keys of others, which nobody asked for",
                ));
            }
            take(key, version)?;
        }
        if page.text_of("IsTruncated") != Some("true") {
            return Ok(());
        }
        let marker = |name: &str| page.text_of(name).unwrap_or_default().to_owned();
        let next = (marker("NextKeyMarker"), marker("NextVersionIdMarker"));
        if next.0.is_empty() || Some(&next) == from.as_ref() {
            return Err(broken(
                bucket,
                "is cut off and does not say where it goes on",
            ));
        }
        from = Some(next);
    }
}

fn broken(bucket: &Bucket, why: &str) -> Fault {
    Fault::permanent(format!("{}: the listing {why}", bucket.end))
}

/// The histories of all keys below `prefix`, each with its versions newest first.
pub async fn versions(
    bucket: &Bucket,
    prefix: &str,
    cancelled: &CancellationToken,
) -> Result<Vec<History>, Fault> {
    let mut all: Vec<History> = Vec::new();
    let mut count = 0;
    let take = |key: String, version: Version| {
        count += 1;
        if count > MOST_VERSIONS {
            let why = format!("of `{prefix}` has more than {MOST_VERSIONS} versions");
            return Err(broken(bucket, &why));
        }
        match all.last_mut().filter(|last| last.key == key) {
            Some(last) => last.versions.push(version),
            None => all.push(History {
                key,
                versions: vec![version],
            }),
        }
        Ok(())
    };
    each(bucket, prefix, cancelled, take).await?;
    // A key in two places would be two histories, of which either is wrong.
    let mut keys: Vec<&str> = all.iter().map(|history| history.key.as_str()).collect();
    keys.sort_unstable();
    match keys.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(broken(bucket, "names a key in two places")),
        false => Ok(all),
    }
}

/// One version or delete marker; anything else of a page is none.
fn entry(element: &Element) -> Option<Result<(String, Version), String>> {
    let deleted = match element.name.as_str() {
        "Version" => false,
        "DeleteMarker" => true,
        _ => return None,
    };
    Some(
        read(element, deleted)
            .ok_or_else(|| format!("has an entry without its facts: {element:?}")),
    )
}

fn read(element: &Element, deleted: bool) -> Option<(String, Version)> {
    let modified: Timestamp = element.text_of("LastModified")?.parse().ok()?;
    let object = match deleted {
        true => None,
        false => Some(Object {
            size: element.text_of("Size")?.parse().ok()?,
            etag: element.text_of("ETag")?.trim_matches('"').to_owned(),
        }),
    };
    let version = Version {
        id: element.text_of("VersionId")?.to_owned(),
        modified,
        object,
    };
    Some((element.text_of("Key")?.to_owned(), version))
}

/// Whether the bucket keeps versions: `Enabled`, `Suspended`, or never.
pub async fn versioning(bucket: &Bucket, cancelled: &CancellationToken) -> Result<String, Fault> {
    let request = Request {
        method: Method::GET,
        query: vec![("versioning", "")],
        ..Request::default()
    };
    let answer = bucket.tree(&request, cancelled).await?;
    Ok(answer
        .text_of("Status")
        .unwrap_or("never enabled")
        .to_owned())
}

/// After how many days the bucket drops versions that are not current.
pub async fn dropped_after(
    bucket: &Bucket,
    cancelled: &CancellationToken,
) -> Result<Option<u64>, Fault> {
    let request = Request {
        query: vec![("lifecycle", "")],
        ..Request::default()
    };
    let answer = bucket.ask(&request, cancelled).await?;
    if answer.status == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !answer.status.is_success() {
        return Err(bucket.refusal(&request, &answer));
    }
    let rules = super::xml::parse(&answer.body)
        .map_err(|why| Fault::permanent(format!("{}: lifecycle: {why}", bucket.end)))?;
    let days = rules
        .children
        .iter()
        .filter(|rule| rule.text_of("Status") != Some("Disabled"))
        .filter_map(|rule| rule.child("NoncurrentVersionExpiration"))
        .filter_map(|dropped| dropped.text_of("NoncurrentDays")?.parse().ok());
    Ok(days.min())
}

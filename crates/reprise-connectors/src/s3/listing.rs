//! All versions below a prefix, page by page, in the server's order.

use std::collections::BTreeMap;

use reprise_model::{Fault, Timestamp};
use reqwest::Method;
use tokio_util::sync::CancellationToken;

use super::client::{Bucket, Request};
use super::history::{History, Object, Version};
use super::xml::Element;

/// As many as a page of S3 has at most.
const PAGE: &str = "1000";

/// The class of what was given none.
const STANDARD: &str = "STANDARD";

const CUT_OFF: &str = "is cut off and does not say where it goes on";

/// More versions than one site's listing holds in memory: about 2 GiB.
const MOST_VERSIONS: usize = 10_000_000;

/// One entry of a listing of versions.
pub struct Listed {
    pub key: String,
    pub version: Version,
    /// Whether it is what readers of the key get, where the server says so.
    latest: Option<bool>,
}

/// Hands over every version below `prefix`, in the server's order. It holds a
/// page at a time.
pub async fn each(
    bucket: &Bucket,
    prefix: &str,
    cancelled: &CancellationToken,
    mut take: impl FnMut(Listed) -> Result<(), Fault>,
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
            let listed = match entry(element) {
                Some(Ok(found)) => found,
                Some(Err(why)) => return Err(broken(bucket, &why)),
                None => continue,
            };
            of_prefix(bucket, prefix, &listed.key)?;
            take(listed)?;
        }
        if page.text_of("IsTruncated") != Some("true") {
            return Ok(());
        }
        let marker = |name: &str| page.text_of(name).unwrap_or_default().to_owned();
        let next = (marker("NextKeyMarker"), marker("NextVersionIdMarker"));
        if next.0.is_empty() || Some(&next) == from.as_ref() {
            return Err(broken(bucket, CUT_OFF));
        }
        from = Some(next);
    }
}

/// The objects that readers of the bucket get, by key. It is another question
/// than that for versions, and a server that broke off in a write may answer
/// it in another way.
pub async fn objects(
    bucket: &Bucket,
    prefix: &str,
    cancelled: &CancellationToken,
) -> Result<BTreeMap<String, Object>, Fault> {
    let mut all = BTreeMap::new();
    let mut from: Option<String> = None;
    loop {
        let mut query = vec![("list-type", "2"), ("prefix", prefix), ("max-keys", PAGE)];
        query.extend(from.as_deref().map(|from| ("continuation-token", from)));
        let request = Request {
            query,
            ..Request::default()
        };
        let page = bucket.tree(&request, cancelled).await?;
        for element in page.children.iter().filter(|it| it.name == "Contents") {
            let (Some(key), Some(object)) = (element.text_of("Key"), object(element)) else {
                return Err(broken(bucket, &without_facts(element)));
            };
            of_prefix(bucket, prefix, key)?;
            all.insert(key.to_owned(), object);
        }
        if page.text_of("IsTruncated") != Some("true") {
            return Ok(all);
        }
        let next = page.text_of("NextContinuationToken").map(str::to_owned);
        if next.is_none() || next == from {
            return Err(broken(bucket, CUT_OFF));
        }
        from = next;
    }
}

fn of_prefix(bucket: &Bucket, prefix: &str, key: &str) -> Result<(), Fault> {
    match key.starts_with(prefix) {
        true => Ok(()),
        false => Err(broken(
            bucket,
            "holds keys of others, which nobody asked for",
        )),
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
    let take = |listed: Listed| {
        count += 1;
        if count > MOST_VERSIONS {
            let why = format!("of `{prefix}` has more than {MOST_VERSIONS} versions");
            return Err(broken(bucket, &why));
        }
        if all.last().is_none_or(|last| last.key != listed.key) {
            all.push(History {
                key: listed.key,
                versions: Vec::new(),
                current: None,
            });
        }
        let history = all.last_mut().expect("one was pushed");
        // The newest, where the server says nothing of any.
        if history.current.is_none() && listed.latest.unwrap_or(history.versions.is_empty()) {
            history.current = Some(history.versions.len());
        }
        history.versions.push(listed.version);
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
fn entry(element: &Element) -> Option<Result<Listed, String>> {
    let deleted = match element.name.as_str() {
        "Version" => false,
        "DeleteMarker" => true,
        _ => return None,
    };
    Some(read(element, deleted).ok_or_else(|| without_facts(element)))
}

fn without_facts(element: &Element) -> String {
    format!("has an entry without its facts: {element:?}")
}

fn read(element: &Element, deleted: bool) -> Option<Listed> {
    let modified: Timestamp = element.text_of("LastModified")?.parse().ok()?;
    let object = match deleted {
        true => None,
        false => Some(object(element)?),
    };
    let version = Version {
        id: element.text_of("VersionId")?.to_owned(),
        modified,
        object,
        class: element
            .text_of("StorageClass")
            .filter(|class| !deleted && !matches!(*class, "" | STANDARD))
            .map(str::to_owned),
    };
    Some(Listed {
        key: element.text_of("Key")?.to_owned(),
        version,
        latest: element.text_of("IsLatest").map(|text| text == "true"),
    })
}

fn object(element: &Element) -> Option<Object> {
    Some(Object {
        size: element.text_of("Size")?.parse().ok()?,
        etag: element.text_of("ETag")?.trim_matches('"').to_owned(),
    })
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

/// Whether the bucket holds any version below `prefix`.
pub async fn any(
    bucket: &Bucket,
    prefix: &str,
    cancelled: &CancellationToken,
) -> Result<bool, Fault> {
    let request = Request {
        query: vec![("versions", ""), ("prefix", prefix), ("max-keys", "1")],
        ..Request::default()
    };
    let page = bucket.tree(&request, cancelled).await?;
    // A server may look further before it finds one.
    Ok(page.children.iter().any(|it| entry(it).is_some())
        || page.text_of("IsTruncated") == Some("true"))
}

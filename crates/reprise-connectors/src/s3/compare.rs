//! Whether two versions of a key are the same object: bytes, what is told
//! about them, and tags.

use reprise_model::Fault;
use reqwest::Method;
use tokio_util::sync::CancellationToken;

use super::client::{Answer, Bucket, Request};
use super::history::{Object, Version};

/// What an object carries besides its bytes, and `x-amz-meta-*`.
const TOLD: [&str; 6] = [
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
];
const META: &str = "x-amz-meta-";

/// In what two versions differ; nothing if they are the same.
pub async fn difference(
    bucket: &Bucket,
    key: &str,
    now: &Version,
    then: &Version,
    cancelled: &CancellationToken,
) -> Result<Option<&'static str>, Fault> {
    let (Some(a), Some(b)) = (&now.object, &then.object) else {
        return Ok((now.object != then.object).then_some("presence"));
    };
    if now.id == then.id {
        return Ok((a != b).then_some("bytes"));
    }
    if !same_bytes(bucket, key, (now, a), (then, b), cancelled).await? {
        return Ok(Some("bytes"));
    }
    let now_told = told(&head(bucket, key, &now.id, cancelled).await?);
    let then_told = told(&head(bucket, key, &then.id, cancelled).await?);
    if now_told != then_told {
        return Ok(Some("metadata"));
    }
    let now_tags = tags(bucket, key, &now.id, cancelled).await?;
    let then_tags = tags(bucket, key, &then.id, cancelled).await?;
    Ok((now_tags != then_tags).then_some("tags"))
}

/// Equal ETags are equal bytes. Unequal ones may be: a copy in parts, or one
/// that was encrypted, has another ETag; then the bytes are read.
async fn same_bytes(
    bucket: &Bucket,
    key: &str,
    (now, a): (&Version, &Object),
    (then, b): (&Version, &Object),
    cancelled: &CancellationToken,
) -> Result<bool, Fault> {
    if a.size != b.size {
        return Ok(false);
    }
    if a.etag == b.etag {
        return Ok(true);
    }
    let one = digest(bucket, key, &now.id, cancelled).await?;
    Ok(one == digest(bucket, key, &then.id, cancelled).await?)
}

async fn digest(
    bucket: &Bucket,
    key: &str,
    version: &str,
    cancelled: &CancellationToken,
) -> Result<Vec<u8>, Fault> {
    use sha2::Digest;
    let mut digest = sha2::Sha256::new();
    let request = Request {
        key: Some(key),
        query: vec![("versionId", version)],
        ..Request::default()
    };
    bucket
        .body(&request, cancelled, |piece| digest.update(piece))
        .await?;
    Ok(digest.finalize().to_vec())
}

pub async fn head(
    bucket: &Bucket,
    key: &str,
    version: &str,
    cancelled: &CancellationToken,
) -> Result<Answer, Fault> {
    let request = Request {
        method: Method::HEAD,
        key: Some(key),
        query: vec![("versionId", version)],
        ..Request::default()
    };
    bucket.expect(&request, cancelled).await
}

/// Headers that a copy must carry, in order.
pub fn told(answer: &Answer) -> Vec<(String, String)> {
    let mut told: Vec<(String, String)> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .filter(|(name, _)| TOLD.contains(name) || name.starts_with(META))
        .map(|(name, value)| (name.to_owned(), value.into_owned()))
        .collect();
    told.sort_unstable();
    told
}

pub async fn tags(
    bucket: &Bucket,
    key: &str,
    version: &str,
    cancelled: &CancellationToken,
) -> Result<Vec<(String, String)>, Fault> {
    let request = Request {
        key: Some(key),
        query: vec![("tagging", ""), ("versionId", version)],
        ..Request::default()
    };
    let answer = bucket.tree(&request, cancelled).await?;
    let set = answer.child("TagSet").map_or(&[][..], |set| &set.children);
    let mut tags: Vec<(String, String)> = set
        .iter()
        .map(|tag| {
            let text = |name| tag.text_of(name).unwrap_or_default().to_owned();
            (text("Key"), text("Value"))
        })
        .collect();
    tags.sort_unstable();
    Ok(tags)
}

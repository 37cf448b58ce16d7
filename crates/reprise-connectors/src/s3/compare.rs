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
/// How it is kept. A rule or a new key may change that: it is carried to a
/// copy, and not compared.
const KEPT: [&str; 4] = [
    CLASS,
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
];
const CLASS: &str = "x-amz-storage-class";
/// Classes that may be asked for. Some servers tell a tier of their own by this
/// header, and refuse to be given it.
const CLASSES: [&str; 5] = [
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
];

/// Whether only their bytes tell if they are the same.
pub fn must_read(now: &Version, then: &Version) -> bool {
    match (&now.object, &then.object) {
        (Some(a), Some(b)) => now.id != then.id && a.size == b.size && a.etag != b.etag,
        _ => false,
    }
}

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
    if !must_read(now, then) {
        return Ok(a.size == b.size);
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

/// What is told about an object, in order: a copy must carry it.
pub fn told(answer: &Answer) -> Vec<(String, String)> {
    headers(answer, |name| {
        TOLD.contains(&name) || name.starts_with(META)
    })
}

/// How an object is kept. Out of an archive it comes into the standard class,
/// or nobody could read the copy; so it does out of a class that nobody can ask
/// for.
pub fn kept(answer: &Answer) -> Vec<(String, String)> {
    let mut kept = headers(answer, |name| KEPT.contains(&name));
    kept.retain(|(name, class)| name != CLASS || CLASSES.contains(&class.as_str()));
    kept
}

/// Whether an archived version was brought back for a while.
pub fn is_brought_back(answer: &Answer) -> bool {
    let state = answer.header("x-amz-restore");
    state.is_some_and(|state| state.contains("ongoing-request=\"false\""))
}

fn headers(answer: &Answer, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut told: Vec<(String, String)> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .filter(|(name, _)| wanted(name))
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

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn answer(headers: &[(&'static str, &'static str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter(headers),
            body: Vec::new(),
        }
    }

    #[test]
    fn class_and_encryption_are_carried_and_an_archive_is_left() {
        let encrypted = [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "arn:k"),
        ];
        for (class, carried) in [("STANDARD_IA", true), ("DEEP_ARCHIVE", false)] {
            let mut headers = vec![("content-type", "a/b"), (CLASS, class)];
            headers.extend(encrypted);
            let kept = kept(&answer(&headers));
            let kept: Vec<(&str, &str)> = kept.iter().map(|(n, v)| (&**n, &**v)).collect();
            let mut expect = encrypted.to_vec();
            expect.extend(carried.then_some((CLASS, class)));
            assert_eq!(kept, expect);
            assert_eq!(told(&answer(&headers)).len(), 1);
        }
    }

    #[test]
    fn what_was_brought_back_from_an_archive_can_be_read() {
        let until = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"";
        for (state, expect) in [(until, true), ("ongoing-request=\"true\"", false)] {
            assert_eq!(
                is_brought_back(&answer(&[("x-amz-restore", state)])),
                expect
            );
        }
        assert!(!is_brought_back(&answer(&[])));
    }
}

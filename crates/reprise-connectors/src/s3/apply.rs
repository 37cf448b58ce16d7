//! Requests that change a key: each brings it to a state, and may be repeated.

use reprise_model::{Fault, FaultKind};
use reqwest::{Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::client::{Bucket, Request};
use super::compare;
use super::history::Version;
use super::xml;

/// S3 takes no more parts than this.
const MOST_PARTS: u64 = 10_000;

/// Takes one delete marker away.
pub async fn uncover(
    bucket: &Bucket,
    key: &str,
    marker: &str,
    cancelled: &CancellationToken,
) -> Result<(), Fault> {
    delete(bucket, key, vec![("versionId", marker)], cancelled).await
}

/// Sets a delete marker on top of the key.
pub async fn remove(
    bucket: &Bucket,
    key: &str,
    cancelled: &CancellationToken,
) -> Result<(), Fault> {
    delete(bucket, key, Vec::new(), cancelled).await
}

async fn delete(
    bucket: &Bucket,
    key: &str,
    query: Vec<(&str, &str)>,
    cancelled: &CancellationToken,
) -> Result<(), Fault> {
    let request = Request {
        method: Method::DELETE,
        key: Some(key),
        query,
        ..Request::default()
    };
    bucket.expect(&request, cancelled).await.map(drop)
}

/// Copies an older version over whatever is current, inside the server.
pub async fn copy(
    bucket: &Bucket,
    key: &str,
    then: &Version,
    part_size: u64,
    cancelled: &CancellationToken,
) -> Result<(), Fault> {
    let size = then.object.as_ref().map_or(0, |object| object.size);
    if size > part_size {
        return in_parts(bucket, key, then, size, part_size, cancelled).await;
    }
    // S3 gives a copy the bucket's class and encryption, not its source's.
    let kept = compare::kept(&compare::head(bucket, key, &then.id, cancelled).await?);
    let mut headers = borrowed(&kept);
    headers.push(("x-amz-copy-source", bucket.copy_source(key, &then.id)?));
    let request = Request {
        method: Method::PUT,
        key: Some(key),
        headers,
        ..Request::default()
    };
    bucket.tree(&request, cancelled).await.map(drop)
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, String)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect()
}

/// An upload whose parts are copied. One that is cut off is invisible; the
/// bucket's owner clears such leftovers by a lifecycle rule.
async fn in_parts(
    bucket: &Bucket,
    key: &str,
    then: &Version,
    size: u64,
    part_size: u64,
    cancelled: &CancellationToken,
) -> Result<(), Fault> {
    let upload = begin(bucket, key, then, cancelled).await?;
    let whole = parts(bucket, key, then, size, part_size, &upload, cancelled).await;
    if whole.is_err() && !cancelled.is_cancelled() {
        // The first fault is the one to tell.
        let _ = delete(bucket, key, vec![("uploadId", &upload)], cancelled).await;
    }
    whole
}

async fn begin(
    bucket: &Bucket,
    key: &str,
    then: &Version,
    cancelled: &CancellationToken,
) -> Result<String, Fault> {
    let head = compare::head(bucket, key, &then.id, cancelled).await?;
    let (told, kept) = (compare::told(&head), compare::kept(&head));
    let tags = compare::tags(bucket, key, &then.id, cancelled).await?;
    let mut headers = borrowed(&told);
    headers.extend(borrowed(&kept));
    if !tags.is_empty() {
        let mut form = reqwest::Url::parse("form:").expect("a URL without anything");
        form.query_pairs_mut().extend_pairs(&tags);
        headers.push(("x-amz-tagging", form.query().unwrap_or_default().to_owned()));
    }
    let request = Request {
        method: Method::POST,
        key: Some(key),
        query: vec![("uploads", "")],
        headers,
        ..Request::default()
    };
    let answer = bucket.tree(&request, cancelled).await?;
    let upload = answer.text_of("UploadId").filter(|id| !id.is_empty());
    upload
        .map(str::to_owned)
        .ok_or_else(|| Fault::permanent(format!("{}: an upload of `{key}` got no id", bucket.end)))
}

async fn parts(
    bucket: &Bucket,
    key: &str,
    then: &Version,
    size: u64,
    part_size: u64,
    upload: &str,
    cancelled: &CancellationToken,
) -> Result<(), Fault> {
    let part_size = part_size.max(size.div_ceil(MOST_PARTS));
    let mut list = String::from("<CompleteMultipartUpload>");
    for (number, first) in (1..).zip((0..size).step_by(part_size as usize)) {
        let last = (first + part_size).min(size) - 1;
        let number = u32::to_string(&number);
        let request = Request {
            method: Method::PUT,
            key: Some(key),
            query: vec![("partNumber", &number), ("uploadId", upload)],
            headers: vec![
                ("x-amz-copy-source", bucket.copy_source(key, &then.id)?),
                ("x-amz-copy-source-range", format!("bytes={first}-{last}")),
            ],
            ..Request::default()
        };
        let answer = bucket.tree(&request, cancelled).await?;
        let etag = xml::escaped(answer.text_of("ETag").unwrap_or_default());
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    list += "</CompleteMultipartUpload>";
    let request = Request {
        method: Method::POST,
        key: Some(key),
        query: vec![("uploadId", upload)],
        body: Some(list),
        ..Request::default()
    };
    let answer = bucket.ask(&request, cancelled).await?;
    if answer.status == StatusCode::NOT_FOUND {
        // Of an upload that was completed, and whose answer was lost.
        let fault = bucket.refusal(&request, &answer);
        return Err(Fault::new(FaultKind::Temporary, fault.message));
    }
    bucket.element(&request, &answer).map(drop)
}

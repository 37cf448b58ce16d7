//! The URL of a live end: `s3+http://KEY:SECRET@HOST:PORT/BUCKET?region=...`.

use reprise_model::Fault;
use reqwest::Url;
use rusty_s3::{Bucket, Credentials, UrlStyle};
use secrecy::{ExposeSecret, SecretString};

use crate::shared::percent;

const REGION: &str = "us-east-1";

pub struct Address {
    pub bucket: Bucket,
    pub credentials: Credentials,
}

impl Address {
    /// Errors name no part of the URL but the host.
    pub fn read(live: &SecretString) -> Result<Self, Fault> {
        let wrong = |what: &str| {
            Fault::permanent(format!("the URL of the bucket {what}")).hint(
                "it is s3+http://KEY:SECRET@HOST:PORT/BUCKET?region=us-east-1, or s3+https://",
            )
        };
        let text = live.expose_secret();
        let plain = text
            .strip_prefix("s3+")
            .filter(|rest| rest.starts_with("http://") || rest.starts_with("https://"))
            .ok_or_else(|| wrong("does not begin with s3+http:// or s3+https://"))?;
        let url = Url::parse(plain).map_err(|_| wrong("cannot be read"))?;
        let host = url.host_str().ok_or_else(|| wrong("names no host"))?;
        let bucket = url.path().trim_matches('/').to_owned();
        if bucket.len() < 3 || bucket.contains('/') {
            return Err(wrong("names no bucket of three or more letters"));
        }
        let decoded = |text: &str| {
            let bytes = percent::decode(text);
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.ok_or_else(|| wrong("holds a key that is no text"))
        };
        let key = decoded(url.username())?;
        let secret = decoded(url.password().unwrap_or_default())?;
        if key.is_empty() || secret.is_empty() {
            return Err(wrong("holds no key and secret"));
        }
        let mut region = REGION.to_owned();
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "region" => region = value.into_owned(),
                _ => return Err(wrong("has an option that is not `region`")),
            }
        }
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        let endpoint = Url::parse(&format!("{}://{host}{port}", url.scheme()))
            .map_err(|_| wrong("cannot be read"))?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, bucket, region)
            .map_err(|_| wrong("names no bucket"))?;
        Ok(Self {
            bucket,
            credentials: Credentials::new(key, secret),
        })
    }

    /// What errors and manifests may name: the host, the port, the bucket.
    pub fn place(&self) -> String {
        let url = self.bucket.base_url();
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        format!("{host}:{port}/{}", self.bucket.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_errors_hold_no_secret() {
        let read = |text: &str| Address::read(&SecretString::from(text));
        let address =
            read("s3+http://KEY:se%2Fcret@127.0.0.1:8333/media?region=eu-1").expect("valid");
        assert_eq!(address.place(), "127.0.0.1:8333/media");
        assert_eq!(address.credentials.secret(), "se/cret");
        assert_eq!(address.bucket.region(), "eu-1");
        for bad in [
            "http://KEY:hushhush@h/media",
            "s3+ftp://KEY:hushhush@h/media",
            "s3+http://KEY:hushhush@h/",
            "s3+http://KEY:hushhush@h/a/b",
            "s3+http://KEY@h/media",
            "s3+http://KEY:hushhush@h/media?acl=public",
            "s3+http://KEY:hushhush%2@h/media",
        ] {
            let fault = read(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(!format!("{fault:?}").contains("hushhush"), "{fault:?}");
        }
    }
}

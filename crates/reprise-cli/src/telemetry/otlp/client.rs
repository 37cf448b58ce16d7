//! The connection to the collector, over the HTTP client that the workspace
//! has anyway.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::redirect;

use super::Tally;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Of an answer, no more is read: it says little.
const ANSWER_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Client {
    client: reqwest::Client,
    tally: Arc<Tally>,
}

impl Client {
    pub fn new(tally: Arc<Tally>) -> Result<Self, reqwest::Error> {
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A redirect could carry the headers to a place nobody has named.
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, tally })
    }

    async fn send(&self, request: Request<Bytes>) -> reqwest::Result<Response<Bytes>> {
        let request = reqwest::Request::try_from(request)?;
        let mut answer = self.client.execute(request).await?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            let room = ANSWER_BYTES.saturating_sub(body.len());
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if room <= chunk.len() {
                break;
            }
        }
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        match self.send(request).await {
            Ok(response) => {
                if !response.status().is_success() {
                    let status = response.status();
                    self.tally.note(format!("the collector answered {status}"));
                }
                Ok(response)
            }
            Err(error) => {
                let what = match &error {
                    error if error.is_timeout() => "the collector took too long",
                    error if error.is_connect() => "the collector cannot be reached",
                    _ => "the connection to the collector broke",
                };
                self.tally.note(what);
                Err(what.into())
            }
        }
    }
}

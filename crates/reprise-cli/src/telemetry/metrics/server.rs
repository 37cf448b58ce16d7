//! A server with one page.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 16;

/// A question and its answer take no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a page is shown.
const FRESH: Duration = Duration::from_secs(1);

const PLAIN: &str = "text/plain";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers until it is dropped.
pub struct Server(JoinHandle<()>);

impl Server {
    pub(super) fn start(port: std::net::TcpListener, registry: Registry) -> std::io::Result<Self> {
        let port = TcpListener::from_std(port)?;
        let page = Page {
            registry,
            written: Mutex::default(),
        };
        Ok(Self(tokio::spawn(serve(port, Arc::new(page)))))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(port: TcpListener, page: Arc<Page>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = port.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(tokio::time::timeout(PATIENCE, talk(stream, page.clone())));
                }
                // Out of file descriptors, most likely: other work frees some.
                Err(error) => {
                    tracing::warn!(%error, "a reader of metrics was turned away");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

/// A reader that hangs up is its own affair.
async fn talk(stream: TcpStream, page: Arc<Page>) {
    let answer = service_fn(|request| {
        let response = respond(&request, &page);
        async { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false);
    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
}

fn respond(request: &Request<Incoming>, page: &Page) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, kind, text) = match (is_read, request.uri().path()) {
        (false, _) => (StatusCode::METHOD_NOT_ALLOWED, PLAIN, Bytes::new()),
        (true, "/metrics") => match page.read() {
            Ok(text) => (StatusCode::OK, OPEN_METRICS, text),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, PLAIN, Bytes::new()),
        },
        (true, _) => {
            let text = Bytes::from_static(b"metrics are at /metrics\n");
            (StatusCode::NOT_FOUND, PLAIN, text)
        }
    };
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The page, written anew now and then: to look at a run holds it up, and who
/// asks without pause is shown what it was a moment ago.
struct Page {
    registry: Registry,
    written: Mutex<Option<(Instant, Bytes)>>,
}

impl Page {
    fn read(&self) -> Result<Bytes, std::fmt::Error> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, text)) = written.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        let text = Bytes::from(text);
        *written = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

//! The address of the sites: what their people see of them.
//!
//! It answers for a host with the site's name where the catalogue and the
//! product both have the site, and with 404 where one has not. A host that
//! stands in `dark.txt` gets 503, whatever the stores say: a site with good
//! data that does not answer.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::HOST;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::service::{Service, answers};
use crate::Error;
use crate::cluster::admin;
use crate::layout::Layout;
use crate::manifest::{ClusterEntry, Manifest, Store};

/// Starts it as a process of its own.
pub fn start(layout: &Layout, manifest: &Manifest) -> Result<(), Error> {
    let program = env::current_exe().map_err(Error::io("find", &PathBuf::from("reprise-lab")))?;
    let port = manifest.port("front")?;
    let mut command = Command::new(program);
    command
        .args(["front", "--port", &port.to_string(), "--dir"])
        .arg(layout.root());
    Service::new(layout.service("front")).start(command, || answers(port))
}

/// Answers until the process ends.
pub async fn serve(layout: Layout, port: u16) -> Result<(), Error> {
    let manifest = Manifest::load(&layout)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| Error::Refused(format!("the front has no port: {error}")))?;
    let estate = Arc::new((layout, manifest));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let estate = Arc::clone(&estate);
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(request, Arc::clone(&estate)));
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    estate: Arc<(Layout, Manifest)>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (layout, manifest) = &*estate;
    let host = request.headers().get(HOST).and_then(|it| it.to_str().ok());
    let host = host.and_then(|it| it.split(':').next()).unwrap_or_default();
    let dark = fs::read_to_string(layout.dark()).unwrap_or_default();
    let (status, text) = match dark.lines().any(|line| line == host) {
        true => (StatusCode::SERVICE_UNAVAILABLE, "not routed".to_owned()),
        false => match name_of(layout, manifest, host).await {
            Ok(Some(name)) => (StatusCode::OK, name),
            Ok(None) => (StatusCode::NOT_FOUND, "no such site".to_owned()),
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
        },
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

/// The site's name, where both the catalogue and its product shard know it.
async fn name_of(
    layout: &Layout,
    manifest: &Manifest,
    host: &str,
) -> Result<Option<String>, Error> {
    let entry = |wanted: &dyn Fn(&&ClusterEntry) -> bool| manifest.clusters.iter().find(wanted);
    let Some(catalogue) = entry(&|it| it.store == Store::Catalogue) else {
        return Ok(None);
    };
    let mut connection = admin(layout, catalogue).await?;
    let known: Option<(i64, String, String)> =
        sqlx::query_as("select id, name, shard from sites where host = $1")
            .bind(host)
            .fetch_optional(&mut connection)
            .await
            .map_err(Error::sql("looking for a host", &catalogue.name))?;
    let Some((id, name, shard)) = known else {
        return Ok(None);
    };
    let Some(product) = entry(&|it| it.store == Store::Product && it.name == shard) else {
        return Ok(None);
    };
    let mut connection = admin(layout, product).await?;
    let there: Option<i64> = sqlx::query_scalar("select id from tracker.site where id = $1")
        .bind(id)
        .fetch_optional(&mut connection)
        .await
        .map_err(Error::sql("looking for a site", &product.name))?;
    Ok(there.map(|_| name))
}

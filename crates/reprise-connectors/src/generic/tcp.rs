//! `tcp.check`: opens a connection, with TLS where that is what users do, and
//! compares what the other side says first.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reprise_model::{Check, Fault, FaultKind, Outcome, Verdict, parse_duration};
use reprise_ports::Call;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::answers::{certificate_error, on_site};
use super::hosts::Hosts;
use super::resolve::Resolver;

const TIMEOUT: Duration = Duration::from_secs(30);
/// A banner is a line or two.
const BANNER_BYTES: usize = 4096;
/// Of what was heard, so much is in the evidence.
const SHOWN: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    host: String,
    port: Port,
    timeout: Option<String>,
    #[serde(default)]
    tls: bool,
    banner: Option<String>,
    ca: Option<String>,
    #[serde(default)]
    resolve: Hosts,
}

/// A template yields text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

pub(super) async fn check(call: &Call, base: &Path, resolver: &Resolver) -> Result<Outcome, Fault> {
    let wrong = |what: String| Fault::permanent(format!("the options of tcp.check: {what}"));
    let mut options: Options = serde_json::from_value(Value::Object(call.with.clone()))
        .map_err(|error| wrong(error.to_string()))?;
    options.resolve = options.resolve.filled(resolver).map_err(wrong)?;
    let port = match &options.port {
        Port::Number(port) => *port,
        Port::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| wrong(format!("`{text}` is no port")))?,
    };
    let timeout = match &options.timeout {
        Some(text) => parse_duration(text)
            .ok_or_else(|| wrong(format!("timeout: `{text}` is no duration such as 10s")))?,
        None => TIMEOUT,
    };
    let start = Instant::now();
    let mut evidence = Map::new();
    evidence.insert("host".to_owned(), options.host.as_str().into());
    evidence.insert("port".to_owned(), port.into());
    evidence.insert("tls".to_owned(), options.tls.into());
    if let Some(site) = &call.site {
        evidence.insert("site".to_owned(), site.id.as_str().into());
    }
    let answer = tokio::time::timeout(timeout, talk(&options, port, base, &mut evidence)).await;
    let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {timeout:?}")));
    let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    evidence.insert("elapsed_ms".to_owned(), elapsed.into());
    let verdict = |verdict, evidence| Check {
        name: "reachable".to_owned(),
        verdict,
        evidence: Value::Object(evidence),
    };
    match answer {
        Ok(()) => Ok(Outcome {
            checks: vec![verdict(Verdict::Pass, evidence)],
            ..Outcome::default()
        }),
        Err(why) => {
            evidence.insert("why".to_owned(), why.as_str().into());
            let what = format!("{}:{port} is not reachable: {why}", options.host);
            let mut fault = Fault::new(FaultKind::Validation, on_site(call, &what));
            fault.checks.push(verdict(Verdict::Fail, evidence));
            Err(fault)
        }
    }
}

async fn talk(
    options: &Options,
    port: u16,
    base: &Path,
    evidence: &mut Map<String, Value>,
) -> Result<(), String> {
    let stream = match options.resolve.of(&options.host)? {
        Some(address) => {
            evidence.insert("resolved_to".to_owned(), address.to_string().into());
            TcpStream::connect(address).await
        }
        None => TcpStream::connect((options.host.as_str(), port)).await,
    };
    let stream = stream.map_err(|error| error.to_string())?;
    if let Ok(peer) = stream.peer_addr() {
        evidence.insert("address".to_owned(), peer.to_string().into());
    }
    if !options.tls {
        return listen(stream, options, evidence).await;
    }
    let name = ServerName::try_from(options.host.clone())
        .map_err(|_| format!("`{}` cannot be a name in a certificate", options.host))?;
    let config = config(options.ca.as_deref().map(|ca| base.join(ca)).as_deref())?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.map_err(|error| {
        let why = error.to_string();
        certificate_error(&why).unwrap_or(why)
    })?;
    listen(stream, options, evidence).await
}

fn config(ca: Option<&Path>) -> Result<ClientConfig, String> {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(path) = ca else {
        return ClientConfig::with_platform_verifier().map_err(|error| error.to_string());
    };
    let shown = path.display();
    let unreadable = |error| format!("the authorities in {shown} cannot be read: {error}");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        roots
            .add(certificate.map_err(unreadable)?)
            .map_err(|error| format!("{shown}: {error}"))?;
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Hears what the other side says without being asked, up to the banner.
async fn listen(
    mut stream: impl AsyncRead + Unpin,
    options: &Options,
    evidence: &mut Map<String, Value>,
) -> Result<(), String> {
    let Some(banner) = &options.banner else {
        return Ok(());
    };
    let mut heard = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&heard).into_owned();
        let shown: String = text.chars().take(SHOWN).collect();
        evidence.insert("heard".to_owned(), shown.into());
        if text.contains(banner.as_str()) {
            return Ok(());
        }
        let mut piece = [0; 512];
        let read = stream
            .read(&mut piece)
            .await
            .map_err(|error| error.to_string())?;
        if read == 0 || heard.len() >= BANNER_BYTES {
            return Err(format!("it did not say `{banner}`"));
        }
        heard.extend_from_slice(&piece[..read]);
    }
}

//! The listener: one task a connection, ended with the server.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::Args;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::mischief::{Mischief, Moods};
use super::routes;
use super::state::{Apps, Counts, State};

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Port on the loopback address; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// The only client that gets tokens.
    #[arg(long, default_value = "lab")]
    pub client_id: String,
    /// Its secret.
    #[arg(long, default_value = "lab-secret")]
    pub client_secret: String,
    /// A file with the secret, in place of `--client-secret`: an argument is
    /// seen by everybody on the machine.
    #[arg(long)]
    pub client_secret_file: Option<PathBuf>,
    /// Keeps what the sites have in this file, so that it is there after a restart.
    #[arg(long)]
    pub state: Option<PathBuf>,
    /// Apps in one page of a listing.
    #[arg(long, default_value_t = 50)]
    pub page: usize,
    /// Share of requests that go wrong by chance.
    #[arg(long, default_value_t = 0.0)]
    pub chaos: f64,
    /// Seed of that chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            client_id: "lab".to_owned(),
            client_secret: "lab-secret".to_owned(),
            client_secret_file: None,
            state: None,
            page: 50,
            chaos: 0.0,
            seed: 1,
        }
    }
}

pub(super) struct Vendor {
    pub options: Options,
    state: Mutex<State>,
}

impl Vendor {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers until it is dropped.
pub struct Server {
    address: SocketAddr,
    vendor: Arc<Vendor>,
    listening: JoinHandle<()>,
}

impl Server {
    pub async fn start(mut options: Options) -> io::Result<Self> {
        if let Some(file) = &options.client_secret_file {
            options.client_secret = fs::read_to_string(file)?.trim_end().to_owned();
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let moods = Moods::new(options.chaos, options.seed);
        let state = State::open(moods, options.state.as_deref())?;
        let vendor = Arc::new(Vendor {
            options,
            state: Mutex::new(state),
        });
        let listening = tokio::spawn(serve(listener, Arc::clone(&vendor)));
        Ok(Self {
            address,
            vendor,
            listening,
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is known of a site, whatever it was before.
    pub fn set_site(&self, site: &str, apps: &[(&str, &str)]) {
        let apps = apps
            .iter()
            .map(|(id, state)| ((*id).to_owned(), (*state).to_owned()));
        self.vendor
            .state()
            .sites
            .insert(site.to_owned(), apps.collect());
    }

    pub fn apps(&self, site: &str) -> Apps {
        self.vendor
            .state()
            .sites
            .get(site)
            .cloned()
            .unwrap_or_default()
    }

    /// In place of what it was told before.
    pub fn tell(&self, mischief: impl IntoIterator<Item = Mischief>) {
        self.vendor
            .state()
            .moods
            .tell(mischief.into_iter().collect());
    }

    /// No token given so far is valid any longer.
    pub fn forget_tokens(&self) {
        self.vendor.state().tokens.clear();
    }

    pub fn counts(&self) -> Counts {
        self.vendor.state().counts.clone()
    }

    /// Returns when the listener has ended, which it does not do by itself.
    pub async fn ended(&mut self) {
        let _ = (&mut self.listening).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(listener: TcpListener, vendor: Arc<Vendor>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(talk(stream, Arc::clone(&vendor)));
                }
            }
        }
    }
}

/// A request that is answered with an error closes the connection.
async fn talk(stream: TcpStream, vendor: Arc<Vendor>) {
    let answer = service_fn(|request| routes::answer(request, Arc::clone(&vendor)));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

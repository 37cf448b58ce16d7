//! Stands between the connector and the server, and does to each changing
//! request (PUT, POST, DELETE) what a rule says. Others pass.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Pass,
    /// The server is not asked; this is the answer.
    Say(&'static str),
    /// The server does it, and its answer is lost.
    Lose,
    /// Nothing goes on until `release`; then it passes.
    Hold,
}

pub const BUSY: Act = Act::Say("HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n");
pub const LATER: Act =
    Act::Say("HTTP/1.1 503 Slow Down\r\nRetry-After: 37\r\nContent-Length: 0\r\n\r\n");

const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 41\r\n\r\n<Error><Code>AccessDenied</Code></Error>\n";

type Rule = Arc<dyn Fn(u32) -> Act + Send + Sync>;

struct Shared {
    to: u16,
    rule: Rule,
    /// Requests whose first line has it are not allowed.
    forbidden: Option<&'static str>,
    /// Changing requests without their bodies.
    heads: Mutex<Vec<String>>,
    changes: AtomicU32,
    held: Notify,
    released: Notify,
}

pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// `rule` is told how many changes came before.
    pub async fn new(to: u16, rule: impl Fn(u32) -> Act + Send + Sync + 'static) -> Self {
        Self::with(to, Arc::new(rule), None).await
    }

    /// Lets all pass but requests with this in their address.
    pub async fn forbidding(to: u16, what: &'static str) -> Self {
        Self::with(to, Arc::new(|_| Act::Pass), Some(what)).await
    }

    async fn with(to: u16, rule: Rule, forbidden: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared {
            to,
            rule,
            forbidden,
            heads: Mutex::default(),
            changes: AtomicU32::new(0),
            held: Notify::new(),
            released: Notify::new(),
        });
        let each = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&each);
                // Whoever goes away in the middle is no failure of the test.
                tokio::spawn(async move { shared.serve(client).await.ok() });
            }
        });
        Self {
            port,
            shared,
            accepting,
        }
    }

    /// The changing requests that came, without their bodies.
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().expect("whole").clone()
    }

    pub fn changes(&self) -> u32 {
        self.shared.changes.load(Ordering::SeqCst)
    }

    /// Returns when a request is held, or its answer was lost.
    pub async fn struck(&self) {
        self.shared.held.notified().await;
    }

    pub fn release(&self) {
        self.shared.released.notify_one();
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let request = request(&mut client).await?;
        let changes = [&b"PUT "[..], b"POST ", b"DELETE "];
        let line = String::from_utf8_lossy(&request);
        let line = line.lines().next().unwrap_or_default();
        if self.forbidden.is_some_and(|what| line.contains(what)) {
            return client.write_all(FORBIDDEN).await;
        }
        let act = match changes.iter().any(|verb| request.starts_with(verb)) {
            true => {
                let head = String::from_utf8_lossy(&request);
                let head = head.split("\r\n\r\n").next().unwrap_or_default();
                self.heads.lock().expect("whole").push(head.to_owned());
                (self.rule)(self.changes.fetch_add(1, Ordering::SeqCst))
            }
            false => Act::Pass,
        };
        match act {
            Act::Say(answer) => return client.write_all(answer.as_bytes()).await,
            Act::Hold => {
                self.held.notify_one();
                self.released.notified().await;
            }
            Act::Pass | Act::Lose => {}
        }
        let mut server = TcpStream::connect(("127.0.0.1", self.to)).await?;
        server.write_all(&request).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        match act {
            Act::Lose => {
                self.held.notify_one();
                Ok(())
            }
            Act::Pass | Act::Hold | Act::Say(_) => client.write_all(&answer).await,
        }
    }
}

/// One whole request, told to be the last of its connection.
async fn request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let length = name.eq_ignore_ascii_case("content-length");
        length.then(|| value.trim().parse().ok())?
    });
    let whole = end + length.unwrap_or(0);
    while bytes.len() < whole {
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut last = bytes[..end - 2].to_vec();
    last.extend_from_slice(b"Connection: close\r\n\r\n");
    last.extend_from_slice(&bytes[end..]);
    Ok(last)
}

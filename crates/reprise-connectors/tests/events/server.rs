//! A target over HTTP: keeps an offset for each stream, takes a batch only
//! behind it, and misbehaves as it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mischief {
    /// Close before anything is done.
    Drop,
    /// Do it, and close instead of answering.
    Lose,
    /// 503 with `Retry-After`.
    Busy,
    Refuse,
    /// Never answer.
    Hang,
}

#[derive(Default)]
pub struct State {
    /// Numbers as they were applied, by path.
    pub streams: BTreeMap<String, Vec<i64>>,
    /// For the next posts, one each.
    pub mischief: VecDeque<Option<Mischief>>,
    pub keys: Vec<String>,
    pub posts: usize,
}

pub struct Server {
    pub url: String,
    pub state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &state).await });
            }
        });
        Self { url, state, task }
    }

    pub fn tell(&self, mischief: &[Option<Mischief>]) {
        self.state.lock().unwrap().mischief = mischief.iter().copied().collect();
    }

    pub fn numbers(&self, stream: &str) -> Vec<i64> {
        let state = self.state.lock().unwrap();
        state.streams.get(stream).cloned().unwrap_or_default()
    }
}

async fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        stream
            .read_line(&mut first)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        let (mut length, mut key) = (0, String::new());
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "idempotency-key" => key = value.to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        let mischief = match method {
            "POST" => {
                let mut state = state.lock().unwrap();
                state.posts += 1;
                state.keys.push(key);
                state.mischief.pop_front().flatten()
            }
            _ => None,
        };
        let (status, answer) = match mischief {
            Some(Mischief::Drop) => return None,
            Some(Mischief::Hang) => std::future::pending().await,
            Some(Mischief::Busy) => (503, json!({ "error": "busy" })),
            Some(Mischief::Refuse) => (401, json!({ "error": "who?" })),
            Some(Mischief::Lose) => {
                answer(method, path, &body, &mut state.lock().unwrap());
                return None;
            }
            None => answer(method, path, &body, &mut state.lock().unwrap()),
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\nRetry-After: 3\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all((head + &answer).as_bytes()).await.ok()?;
    }
}

fn answer(method: &str, path: &str, body: &[u8], state: &mut State) -> (u16, Value) {
    let path = path.trim_start_matches("/api/");
    match method {
        "GET" => match state
            .streams
            .get(path)
            .and_then(|all| all.last().zip(Some(all.len())))
        {
            Some((seq, count)) => (200, json!({ "seq": seq, "count": count })),
            None => (404, json!({})),
        },
        "POST" => {
            let value: Value = serde_json::from_slice(body).unwrap();
            let held = state.streams.entry(path.to_owned()).or_default();
            if value["after"].as_i64() != Some(held.last().copied().unwrap_or(0)) {
                return (409, json!({ "error": "not behind the offset" }));
            }
            let events = value["events"].as_array().unwrap();
            held.extend(events.iter().map(|event| event["seq"].as_i64().unwrap()));
            (200, json!({}))
        }
        "DELETE" => {
            state
                .streams
                .retain(|name, _| !name.starts_with(&format!("{path}/")));
            (204, json!({}))
        }
        _ => (405, json!({})),
    }
}

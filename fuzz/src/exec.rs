//! The exec protocol: a program may say anything, in pieces of any size, and
//! what is kept of it is small, clean, and without the secrets it was given.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use reprise_connectors::generic::hear;
use secrecy::SecretString;
use tokio::io::{AsyncRead, ReadBuf};

use crate::shown::{PLANTED, hides_the_secret};

/// What may be kept of one program: its output's limit and some framing.
const KEPT_BYTES: usize = 5 << 20;
/// Written by the fuzzer, it stands for the secret.
const MARKER: &str = "@@";

pub fn target(data: &[u8]) {
    let Some((&size, said)) = data.split_first() else {
        return;
    };
    let said = replaced(said);
    let secrets = [PLANTED, "tree\"s\n\u{e9}", "correct"].map(SecretString::from);
    let mut fractions = Vec::new();
    let heard = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers starts")
        .block_on(hear(
            Pieces::new(&said, size),
            Pieces::new(&said, size),
            secrets,
            |fraction| fractions.push(fraction),
        ));
    assert!(
        fractions
            .iter()
            .all(|fraction| (0.0..=1.0).contains(fraction))
    );
    let (outcome, errors) = heard;
    let kept = match &outcome {
        Ok(outcome) => serde_json::to_string(outcome),
        Err(fault) => serde_json::to_string(fault),
    };
    let kept = kept.expect("it is plain data");
    assert!(kept.len() < KEPT_BYTES, "{} bytes are kept", kept.len());
    hides_the_secret(&kept);
    for line in errors {
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        hides_the_secret(&line);
    }
}

/// The fuzzer cannot guess the secret.
fn replaced(said: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(said) {
        Ok(text) => text.replace(MARKER, PLANTED).into_bytes(),
        Err(_) => said.to_vec(),
    }
}

/// A pipe that gives so many bytes at a time.
struct Pieces {
    left: VecDeque<u8>,
    size: usize,
}

impl Pieces {
    fn new(said: &[u8], size: u8) -> Self {
        Self {
            left: said.iter().copied().collect(),
            size: usize::from(size) + 1,
        }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let many = self.size.min(buffer.remaining()).min(self.left.len());
        let piece: Vec<u8> = self.left.drain(..many).collect();
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

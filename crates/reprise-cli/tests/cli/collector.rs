//! A collector on a loopback port that keeps what it is sent.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

#[derive(Default)]
pub struct Received {
    pub heads: Vec<String>,
    pub bodies: Vec<Vec<u8>>,
}

impl Received {
    fn requests(&self) -> impl Iterator<Item = ExportTraceServiceRequest> {
        let decode = |body: &Vec<u8>| {
            ExportTraceServiceRequest::decode(body.as_slice()).expect("a request of OTLP")
        };
        self.bodies.iter().map(decode)
    }

    pub fn spans(&self) -> Vec<Span> {
        self.requests()
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    pub fn resource(&self) -> BTreeMap<String, String> {
        let first = self.requests().next().expect("a request");
        let resource = first.resource_spans[0].resource.clone();
        attributes(&resource.expect("a resource").attributes)
    }
}

pub fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(yes) => yes.to_string(),
        other => panic!("{other:?}"),
    };
    let pair = |pair: &KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        (pair.key.clone(), text(value.expect("a value")))
    };
    attributes.iter().map(pair).collect()
}

/// Answers one request after the other until the test has seen enough.
pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = port.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(Received::default()));
        let kept = received.clone();
        let thread = std::thread::spawn(move || {
            for stream in port.incoming() {
                let Some((head, body)) = stream.ok().and_then(answer) else {
                    return;
                };
                let mut kept = kept.lock().expect("nobody panics here");
                kept.heads.push(head);
                kept.bodies.push(body);
            }
        });
        Self {
            address,
            received,
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that has come; ends the collector.
    pub fn stop(mut self) -> Received {
        // A connection without a request ends the loop.
        drop(TcpStream::connect(self.address).expect("the collector is there"));
        let thread = self.thread.take().expect("it is stopped once");
        thread.join().expect("the collector ends in order");
        std::mem::take(&mut *self.received.lock().expect("nobody panics here"))
    }
}

/// Reads a request and answers that all is well.
fn answer(stream: TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length?];
    reader.read_exact(&mut body).ok()?;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(answer.as_bytes()).ok()?;
    Some((head, body))
}

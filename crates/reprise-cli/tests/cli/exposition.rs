//! Reads the text that Prometheus reads, strictly.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Samples by name and labels, as they are written: `up{job="a"}`.
#[derive(Debug)]
pub struct Exposition {
    samples: BTreeMap<String, f64>,
}

/// Asks for the page at an address such as `127.0.0.1:9464`.
pub fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("metrics are served");
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("application/openmetrics-text"), "{head}");
    page.to_owned()
}

impl Exposition {
    /// Every sample belongs to the family announced last, and none comes twice.
    pub fn parse(page: &str) -> Self {
        let body = page.strip_suffix("# EOF\n").expect("an end");
        let mut samples = BTreeMap::new();
        let mut families = BTreeSet::new();
        let mut family = (String::new(), String::new());
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(name.starts_with("reprise_"), "{line}");
                assert!(families.insert(name.to_owned()), "{name} comes twice");
                family = (name.to_owned(), kind.to_owned());
            } else if !line.starts_with("# ") {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                let name = series.split('{').next().expect("a name");
                let suffix = name.strip_prefix(&family.0).expect(line);
                let allowed: &[&str] = match family.1.as_str() {
                    "counter" => &["_total"],
                    "gauge" => &[""],
                    "info" => &["_info"],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    other => panic!("{other}"),
                };
                assert!(allowed.contains(&suffix), "{line} in {family:?}");
                let value = value.parse().expect(line);
                let before = samples.insert(series.to_owned(), value);
                assert_eq!(before, None, "{series} comes twice");
            }
        }
        Self { samples }
    }

    pub fn get(&self, series: &str) -> f64 {
        let found = self.samples.get(series);
        *found.unwrap_or_else(|| panic!("no {series} in {:#?}", self.samples))
    }

    pub fn series(&self) -> impl Iterator<Item = &str> {
        self.samples.keys().map(String::as_str)
    }
}

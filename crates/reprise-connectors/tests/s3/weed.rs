//! One SeaweedFS for all tests of this binary, on loopback, in a folder of its
//! own. It ends with the last test that uses it, or with the process.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use reprise_pgserver::{attached, free_ports};
use rustix::process::Signal;

pub const KEY: &str = "TESTKEY";
pub const SECRET: &str = "test/secret+with=letters";
pub const READER: &str = "READER";

pub struct Weed {
    pub port: u16,
    /// Of the files and folders below the buckets.
    pub filer: u16,
    server: Child,
    _folder: tempfile::TempDir,
}

/// Where `make deps` puts it.
fn program() -> PathBuf {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.deps");
    let deps = std::env::var_os("REPRISE_DEPS").map_or(PathBuf::from(own), PathBuf::from);
    let program = deps.join("bin/weed");
    assert!(
        program.exists(),
        "no weed in {}: `make deps` fetches it",
        deps.display()
    );
    program
}

/// The one that runs, or a new one.
pub fn weed() -> Arc<Weed> {
    static RUNNING: Mutex<Weak<Weed>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.upgrade().unwrap_or_else(|| {
        let weed = Arc::new(start("-volume.max=200", "-master.volumeSizeLimitMB=64"));
        *running = Arc::downgrade(&weed);
        weed
    })
}

/// One of its own, with room for next to nothing.
pub fn small() -> Arc<Weed> {
    Arc::new(start("-volume.max=8", "-master.volumeSizeLimitMB=1"))
}

/// To end in order would take it half a minute.
impl Drop for Weed {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn start(volumes: &str, size: &str) -> Weed {
    let folder = tempfile::tempdir().expect("a folder");
    let identities = format!(
        r#"{{"identities":[
          {{"name":"all","credentials":[{{"accessKey":"{KEY}","secretKey":"{SECRET}"}}],"actions":["Admin","Read","Write","List","Tagging"]}},
          {{"name":"reader","credentials":[{{"accessKey":"{READER}","secretKey":"{SECRET}"}}],"actions":["Read","List"]}}]}}"#
    );
    let config = folder.path().join("s3.json");
    std::fs::write(&config, identities).expect("written");
    let p = free_ports(8).expect("free ports");
    let mut command = Command::new(program());
    command
        .args([
            "-logtostderr=true",
            "server",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
        ])
        .arg(format!("-dir={}", folder.path().display()))
        .args([
            format!("-master.port={}", p[0]),
            format!("-master.port.grpc={}", p[1]),
            format!("-volume.port={}", p[2]),
            format!("-volume.port.grpc={}", p[3]),
            format!("-filer.port={}", p[4]),
            format!("-filer.port.grpc={}", p[5]),
            format!("-s3.port={}", p[6]),
            format!("-s3.port.grpc={}", p[7]),
            format!("-s3.config={}", config.display()),
        ])
        .args(["-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0"])
        .args([volumes, size])
        .args(["-volume.preStopSeconds=0", "-volume.minFreeSpace=100MiB"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut server = attached(command, Signal::KILL).expect("weed starts");
    let until = Instant::now() + Duration::from_secs(60);
    while !answers(p[6]) {
        assert!(
            Instant::now() < until,
            "weed did not answer within a minute"
        );
        let ended = server.try_wait().expect("its state");
        assert!(ended.is_none(), "weed ended: {ended:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Weed {
        port: p[6],
        filer: p[4],
        server,
        _folder: folder,
    }
}

fn answers(port: u16) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let _ = stream.write_all(b"GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut head = [0; 12];
    stream.read_exact(&mut head).is_ok() && head.ends_with(b"200")
}

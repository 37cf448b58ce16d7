//! A private slapd with a change log, in a folder of its own.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reprise_pgserver::free_ports;
use tempfile::TempDir;

pub const PASSWORD: &str = "open sesame";
const ADMIN: &str = "cn=admin,dc=acme";

const CONFIG: &str = "
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload accesslog
moduleload syncprov
moduleload memberof
moduleload ppolicy
moduleload refint
database mdb
suffix cn=log
directory DIR/log
rootdn cn=admin,cn=log
database mdb
suffix dc=acme
rootdn cn=admin,dc=acme
rootpw \"open sesame\"
directory DIR/data
OVERLAYS
overlay syncprov
overlay accesslog
logdb cn=log
logops writes
logold (objectClass=*)
logsuccess TRUE
";

pub struct Server {
    pub folder: TempDir,
    pub port: u16,
    child: Child,
}

impl Server {
    pub fn start() -> Self {
        Self::with("")
    }

    /// With more overlays: lines of their configuration.
    pub fn with(overlays: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["data", "log", "snapshots", "scratch"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let place = folder.path().to_str().unwrap();
        fs::write(
            folder.path().join("slapd.conf"),
            CONFIG.replace("DIR", place).replace("OVERLAYS", overlays),
        )
        .unwrap();
        // Another process can take a free port before slapd does.
        for _ in 0..5 {
            let port = free_ports(1).unwrap()[0];
            if let Some(child) = listen(&folder, port) {
                return Self {
                    folder,
                    port,
                    child,
                };
            }
        }
        panic!("slapd does not start");
    }

    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn url(&self, bind: &str, password: &str) -> String {
        let password = password.replace(' ', "%20");
        format!(
            "ldap://127.0.0.1:{}/?bind={bind}&password={password}",
            self.port
        )
    }

    pub fn admin(&self) -> String {
        self.url(ADMIN, PASSWORD)
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let url = format!("ldap://127.0.0.1:{}", self.port);
        // Entries that refer to other servers are data.
        command.args(["-x", "-M", "-H", &url, "-D", ADMIN, "-w", PASSWORD]);
        command
    }

    /// Records of changes; those without a `changetype` are added.
    pub fn change(&self, ldif: &str) {
        let mut child = self
            .client("ldapmodify")
            .arg("-a")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(ldif.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{ldif}");
    }

    pub fn delete_tree(&self, dn: &str) {
        let output = self.client("ldapdelete").args(["-r", dn]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// What the server does in its own time.
    pub fn wait_for(&self, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !holds(self) {
            assert!(Instant::now() < deadline, "it never came about");
        }
    }

    /// Values of one attribute, in order.
    pub fn values(&self, dn: &str, attribute: &str) -> Vec<String> {
        let name = format!("{attribute}: ");
        let entries = self.dump(|one| one == dn);
        let lines = entries.iter().flat_map(|entry| entry.lines());
        let mut values: Vec<String> = lines
            .filter_map(|line| line.strip_prefix(&name))
            .map(str::to_owned)
            .collect();
        values.sort();
        values
    }

    pub fn can_bind(&self, dn: &str, password: &str) -> bool {
        let url = format!("ldap://127.0.0.1:{}", self.port);
        let mut command = Command::new("ldapwhoami");
        command.args(["-x", "-H", &url, "-D", dn, "-w", password]);
        command.output().unwrap().status.success()
    }

    pub fn slapcat(&self, suffix: &str) -> String {
        let conf = self.path("slapd.conf");
        let output = Command::new("/usr/sbin/slapcat")
            .arg("-f")
            .arg(conf)
            .args(["-o", "ldif-wrap=no", "-b", suffix])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn snapshot(&self, name: &str) {
        let place = self.path("snapshots").join(name);
        fs::write(place, self.slapcat("dc=acme")).unwrap();
    }

    pub fn write_log(&self) {
        fs::write(self.path("changes.ldif"), self.slapcat("cn=log")).unwrap();
    }

    /// The moments of all changes, in order.
    pub fn moments(&self) -> Vec<String> {
        let log = self.slapcat("cn=log");
        let lines = log
            .lines()
            .filter_map(|line| line.strip_prefix("entryCSN: "));
        let mut all: Vec<String> = lines.map(moment).collect();
        all.sort();
        all
    }

    pub fn now(&self) -> String {
        self.moments().pop().unwrap()
    }

    /// Full entries whose DN passes, in order.
    pub fn dump(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let all = self.slapcat("dc=acme");
        let blocks = all.split("\n\n").map(str::trim);
        let dn = |block: &str| {
            block
                .strip_prefix("dn: ")
                .unwrap_or("")
                .lines()
                .next()
                .unwrap_or("")
                .to_owned()
        };
        let kept = blocks.filter(|block| !block.is_empty() && wanted(&dn(block)));
        let mut kept: Vec<String> = kept.map(str::to_owned).collect();
        kept.sort();
        kept
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listen(folder: &TempDir, port: u16) -> Option<Child> {
    let mut child = Command::new("/usr/sbin/slapd")
        .arg("-f")
        .arg(folder.path().join("slapd.conf"))
        .args(["-h", &format!("ldap://127.0.0.1:{port}"), "-d", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("slapd is installed (`make deps` as root installs it)");
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(child);
        }
        std::thread::yield_now();
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// `20261122123036.306454Z#...` in RFC 3339.
fn moment(csn: &str) -> String {
    let part = |from: usize, to: usize| &csn[from..to];
    format!(
        "{}-{}-{}T{}:{}:{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        csn[12..].split('#').next().unwrap()
    )
}

//! Connections to the live end, and what its answers mean.

use std::collections::HashSet;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::controls::{MakeCritical, ManageDsaIt, RelaxRules};
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, Scope, SearchEntry,
};
use reprise_model::dn::{DnKey, parent};
use reprise_model::{Fault, FaultKind};
use secrecy::{ExposeSecret, SecretString};

use crate::ldap::entry::{Entry, Values};

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);
/// Entries in one page of a search.
const PAGE: i32 = 500;
const ANY: &str = "(objectClass=*)";

/// Values in one filter.
const VALUES: usize = 250;

pub const VALUE_EXISTS: u32 = 20;
pub const NO_SUCH_VALUE: u32 = 16;
pub const NO_SUCH_OBJECT: u32 = 32;
pub const CLASS_VIOLATION: u32 = 65;
pub const ALREADY_EXISTS: u32 = 68;

/// Where the live end is and who asks. Nothing but host and port is shown.
pub struct Live {
    /// Which one, for messages: `directory/main live (ldap://host:port)`.
    place: String,
    /// `ldap://host:port`
    address: String,
    bind: String,
    password: SecretString,
}

impl Live {
    /// Reads `ldap://HOST:PORT/?bind=DN&password=...`.
    pub fn read(url: &SecretString, end: &str) -> Result<Self, Fault> {
        // The parser's own message could quote the URL.
        let bad = |why: &str| Fault::permanent(format!("{end}: the URL is malformed: {why}"));
        let url = reqwest::Url::parse(url.expose_secret()).map_err(|_| bad("it is no URL"))?;
        if !matches!(url.scheme(), "ldap" | "ldaps") {
            return Err(bad("it begins with neither ldap:// nor ldaps://"));
        }
        let host = url.host_str().ok_or_else(|| bad("it names no host"))?;
        let usual = if url.scheme() == "ldaps" { 636 } else { 389 };
        let address = format!("{}://{host}:{}", url.scheme(), url.port().unwrap_or(usual));
        let mut live = Self {
            place: format!("{end} ({address})"),
            address,
            bind: String::new(),
            password: String::new().into(),
        };
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "bind" => live.bind = value.into_owned(),
                "password" => live.password = value.into_owned().into(),
                _ => return Err(bad("it has an option besides `bind` and `password`")),
            }
        }
        // To a directory, a name without a password is nobody.
        if live.bind.is_empty() || live.password.expose_secret().is_empty() {
            return Err(bad("it names no `bind` or no `password`"));
        }
        Ok(live)
    }

    pub async fn session(&self) -> Result<Session, Fault> {
        let settings = LdapConnSettings::new().set_conn_timeout(CONNECT);
        let opened = LdapConnAsync::with_settings(settings, &self.address).await;
        let (connection, mut ldap) = opened.map_err(|error| self.lost("connect", &error))?;
        let driver = tokio::spawn(async move {
            // What went wrong is told to whoever waits for an answer.
            let _ = connection.drive().await;
        });
        let bound = ldap
            .with_timeout(ANSWER)
            .simple_bind(&self.bind, self.password.expose_secret())
            .await;
        let session = Session {
            ldap,
            place: self.place.clone(),
            driver,
        };
        session.answered("bind", bound)?.expect("sign in", &[])?;
        Ok(session)
    }

    fn lost(&self, doing: &str, error: &LdapError) -> Fault {
        lost(&self.place, doing, error)
    }
}

/// One connection, which ends with this value.
pub struct Session {
    ldap: Ldap,
    place: String,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A result code with its meaning.
pub struct Answer {
    pub code: u32,
    text: String,
    place: String,
}

impl Session {
    fn answered(
        &self,
        doing: &str,
        answer: ldap3::result::Result<LdapResult>,
    ) -> Result<Answer, Fault> {
        let result = answer.map_err(|error| lost(&self.place, doing, &error))?;
        Ok(Answer {
            code: result.rc,
            text: result.text,
            place: self.place.clone(),
        })
    }

    /// All entries at and below `base`; none where it does not exist.
    pub async fn subtree(&mut self, base: &str) -> Result<Vec<Entry>, Fault> {
        self.search(base, Scope::Subtree, ANY).await
    }

    pub async fn entry(&mut self, dn: &str) -> Result<Option<Entry>, Fault> {
        Ok(self.search(dn, Scope::Base, ANY).await?.pop())
    }

    /// Entries at and below `base` that have this value.
    pub async fn holders(
        &mut self,
        base: &str,
        attribute: &str,
        value: &str,
    ) -> Result<Vec<Entry>, Fault> {
        let filter = format!("({attribute}={})", ldap3::ldap_escape(value));
        self.search(base, Scope::Subtree, &filter).await
    }

    /// Entries at and below `base` that have one of these values; a value of
    /// an index costs little, one of none the reading of them all for each
    /// filter.
    pub async fn with_any(
        &mut self,
        base: &str,
        attribute: &str,
        values: &[String],
    ) -> Result<Vec<Entry>, Fault> {
        let mut found = Vec::new();
        for some in values.chunks(VALUES) {
            let one = |value: &String| format!("({attribute}={})", ldap3::ldap_escape(value));
            let filter: String = some.iter().map(one).collect();
            let filter = format!("(|{filter})");
            found.extend(self.search(base, Scope::Subtree, &filter).await?);
        }
        Ok(found)
    }

    /// The suffix of the database that holds this name; where the server does
    /// not tell its suffixes, the topmost entry above it that may be read.
    pub async fn suffix_of(&mut self, name: &str) -> Result<String, Fault> {
        let root = self.entry("").await.ok().flatten().unwrap_or_default();
        let key = DnKey::of(name);
        let suffixes = root.values("namingContexts");
        let suffixes = suffixes.map(|value| String::from_utf8_lossy(value).into_owned());
        let over = suffixes.filter(|suffix| key.is_in(&DnKey::of(suffix)));
        if let Some(suffix) = over.max_by_key(|suffix| suffix.len()) {
            return Ok(suffix);
        }
        let mut place = name.to_owned();
        let mut top = None;
        while !place.is_empty() {
            let is_read = matches!(self.entry(&place).await, Ok(Some(_)));
            let above = parent(&place);
            top = is_read.then_some(place).or(top);
            place = above;
        }
        top.ok_or_else(|| {
            let message = format!("{} names no suffix that holds the site's base", self.place);
            Fault::permanent(message)
                .hint("let the name in `bind` read `namingContexts` of the root DSE")
        })
    }

    /// The next request, which is about entries: one that refers to another
    /// server is data like the others.
    fn asks(&mut self) -> &mut Ldap {
        self.ldap.with_timeout(ANSWER).with_controls(ManageDsaIt)
    }

    async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
    ) -> Result<Vec<Entry>, Fault> {
        let place = self.place.clone();
        let lost = |error: LdapError| match error {
            LdapError::LdapResult { result } => Answer::of(&place, result).fault("search"),
            other => lost(&place, "search", &other),
        };
        let adapters: Vec<Box<dyn Adapter<_, _>>> = vec![
            Box::new(EntriesOnly::new()),
            Box::new(PagedResults::new(PAGE)),
        ];
        let mut stream = self
            .asks()
            .streaming_search_with(adapters, base, scope, filter, vec!["*", "+"])
            .await
            .map_err(&lost)?;
        let mut found = Vec::new();
        while let Some(entry) = stream.next().await.map_err(&lost)? {
            found.push(read(SearchEntry::construct(entry)));
        }
        let answer = Answer::of(&self.place, stream.finish().await);
        if answer.code == NO_SUCH_OBJECT {
            return Ok(Vec::new());
        }
        answer.expect(&format!("read `{base}`"), &[])?;
        Ok(found)
    }

    pub async fn add(&mut self, entry: &Entry, relax: bool) -> Result<Answer, Fault> {
        let attributes = entry.to_add(relax).into_iter();
        let attributes = attributes
            .map(|(name, values)| (name.into_bytes(), values.into_iter().collect()))
            .collect();
        let ldap = self.asks();
        if relax {
            ldap.with_controls(vec![RelaxRules.critical().into(), ManageDsaIt.into()]);
        }
        let answer = ldap.add(&entry.dn, attributes).await;
        self.answered("add", answer)
    }

    pub async fn delete(&mut self, dn: &str) -> Result<Answer, Fault> {
        let answer = self.asks().delete(dn).await;
        self.answered("delete", answer)
    }

    /// Adds values to attributes that keep what they have.
    pub async fn add_values(
        &mut self,
        dn: &str,
        values: impl IntoIterator<Item = (String, Values)>,
    ) -> Result<Answer, Fault> {
        let mods = values.into_iter();
        let mods = mods.map(|(name, values)| Mod::Add(name.into_bytes(), set(values)));
        self.modify(dn, mods.collect()).await
    }

    /// Sets attributes to exactly these values; none removes the attribute.
    pub async fn set_values(
        &mut self,
        dn: &str,
        values: impl IntoIterator<Item = (String, Values)>,
    ) -> Result<Answer, Fault> {
        let mods = values.into_iter();
        let mods = mods.map(|(name, values)| Mod::Replace(name.into_bytes(), set(values)));
        self.modify(dn, mods.collect()).await
    }

    /// Takes values away and adds them again in one step, so that the server
    /// does what it does when they come.
    pub async fn renew_values(
        &mut self,
        dn: &str,
        attribute: &str,
        values: Values,
    ) -> Result<Answer, Fault> {
        let name = || attribute.as_bytes().to_vec();
        let away = Mod::Delete(name(), set(values.clone()));
        self.modify(dn, vec![away, Mod::Add(name(), set(values))])
            .await
    }

    async fn modify(&mut self, dn: &str, mods: Vec<Mod<Vec<u8>>>) -> Result<Answer, Fault> {
        let answer = self.asks().modify(dn, mods).await;
        self.answered("modify", answer)
    }
}

impl Answer {
    fn of(place: &str, result: LdapResult) -> Self {
        Self {
            code: result.rc,
            text: result.text,
            place: place.to_owned(),
        }
    }

    /// Success, or one of `others`.
    pub fn expect(&self, doing: &str, others: &[u32]) -> Result<(), Fault> {
        match self.code == 0 || others.contains(&self.code) {
            true => Ok(()),
            false => Err(self.fault(doing)),
        }
    }

    /// Whether the server will not let this name write what is its own.
    pub fn refuses_relax(&self) -> bool {
        // unavailableCriticalExtension, constraintViolation,
        // insufficientAccessRights, unwillingToPerform
        matches!(self.code, 12 | 19 | 50 | 53)
    }

    fn fault(&self, doing: &str) -> Fault {
        let why = match self.text.is_empty() {
            true => format!("code {}", self.code),
            false => format!("code {}, {}", self.code, self.text),
        };
        let (kind, word, hint) = match self.code {
            3 | 51 | 52 => (FaultKind::Temporary, "is busy", None),
            4 | 11 => (
                FaultKind::Permanent,
                "gives no more entries",
                Some("raise the server's limits for this name (`limits`)"),
            ),
            49 => (
                FaultKind::Permanent,
                "refuses the credentials",
                Some("see `bind` and `password` in the live URL"),
            ),
            8 | 50 | 53 => (
                FaultKind::Permanent,
                "refuses the right",
                Some("give the name in `bind` the right to write below the site's base"),
            ),
            NO_SUCH_OBJECT => (
                FaultKind::Refused,
                "has no parent entry",
                Some("the entries above the site's base are shared; make them first"),
            ),
            // slapd's word for what is wrong with its own database.
            80 => (
                FaultKind::Permanent,
                "fails",
                Some(
                    "its own log tells why: a full disk, or `maxsize` of its database; then `reprise retry`",
                ),
            ),
            _ => (FaultKind::Permanent, "refuses", None),
        };
        let message = format!("{} {word}: cannot {doing} ({why})", self.place);
        let mut fault = Fault::new(kind, message);
        fault.hint = hint.map(str::to_owned);
        fault
    }
}

/// A connection that is not there, or not there any more.
fn lost(place: &str, doing: &str, error: &LdapError) -> Fault {
    let why = match error {
        LdapError::Io { source } => source.to_string(),
        LdapError::Timeout { .. } => "no answer in time".to_owned(),
        LdapError::Rustls { source } => return Fault::permanent(format!("{place}: {source}")),
        _ => "the connection was lost".to_owned(),
    };
    Fault::temporary(format!("{place}: cannot {doing}: {why}"))
}

fn set(values: Values) -> HashSet<Vec<u8>> {
    values.into_iter().collect()
}

fn read(found: SearchEntry) -> Entry {
    let mut entry = Entry::new(found.dn);
    for (name, values) in found.attrs {
        for value in values {
            entry.add(&name, value.into_bytes());
        }
    }
    for (name, values) in found.bin_attrs {
        for value in values {
            entry.add(&name, value);
        }
    }
    entry
}

//! The estate: stores, shards, backups, live ends, objectives. The values of
//! `estate.yaml`, with nothing resolved and no secret in them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Apps, Elapsed, Events, ShardId, StoreId};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Estate {
    pub name: String,
    /// The folder that relative paths start from: the file's own.
    pub base: PathBuf,
    pub objectives: Objectives,
    pub sites: SiteSource,
    /// In the order of the file.
    pub stores: Vec<Store>,
}

impl Estate {
    pub fn store(&self, id: &StoreId) -> Option<&Store> {
        self.stores.iter().find(|store| store.id == *id)
    }
}

/// What was promised: at most this much lost, at most this long.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Objectives {
    pub rpo: Option<Elapsed>,
    pub rto: Option<Elapsed>,
}

/// Where the list of sites as it was at T comes from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteSource {
    /// A query against the store recovered to T; the column `id` is required,
    /// every other column becomes an attribute.
    Query { store: StoreId, query: String },
    /// A CSV file with a header line, under the same rule. Absolute or
    /// relative to the estate's folder.
    File { path: PathBuf },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    Metadata,
    Identity,
    Product,
    Media,
    Apps,
    Events,
    Config,
}

impl Layer {
    pub const ALL: [Layer; 7] = [
        Self::Metadata,
        Self::Identity,
        Self::Product,
        Self::Media,
        Self::Apps,
        Self::Events,
        Self::Config,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Identity => "identity",
            Self::Product => "product",
            Self::Media => "media",
            Self::Apps => "apps",
            Self::Events => "events",
            Self::Config => "config",
        }
    }
}

/// The kind of software behind a store; decides the connector.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    Postgres,
    Mariadb,
    /// A vendor's API.
    Http,
    Ldap,
    /// A bucket that keeps versions, of any S3 API.
    S3,
    /// A tree of files.
    Folder,
    /// Recorded events, and what they are replayed into.
    Events,
    /// Files in a git repository.
    Git,
}

impl StoreKind {
    pub const ALL: [StoreKind; 8] = [
        Self::Postgres,
        Self::Mariadb,
        Self::Http,
        Self::Ldap,
        Self::S3,
        Self::Events,
        Self::Git,
        Self::Folder,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Http => "http",
            Self::Ldap => "ldap",
            Self::S3 => "s3",
            Self::Folder => "folder",
            Self::Events => "events",
            Self::Git => "git",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Store {
    pub id: StoreId,
    pub kind: StoreKind,
    pub layer: Layer,
    /// Template over the site that yields the shard; absent where there is one shard.
    pub placement: Option<String>,
    pub tenant: Option<Tenancy>,
    /// In the order of the file.
    pub shards: Vec<Shard>,
}

impl Store {
    pub fn shard(&self, id: &ShardId) -> Option<&Shard> {
        self.shards.iter().find(|shard| shard.id == *id)
    }
}

/// What belongs to a site, in the way of the store's kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tenancy {
    Rows(Tenant),
    Apps(Box<Apps>),
    Directory(Directory),
    Objects(Objects),
    FileTree(FileTree),
    Events(Box<Events>),
    Files(Files),
}

/// Which rows belong to a site: the root table and its key, and what the
/// catalog's foreign keys cannot tell. Table names may be `schema.table`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tenant {
    pub table: String,
    pub key: String,
    pub tables: BTreeMap<String, TableRule>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableRule {
    /// Owned by the site whose id is in this column.
    Key(String),
    /// Not tenant data: read by all, restored for none.
    Shared,
    /// Tenant data that is left out on purpose.
    Ignored,
}

/// Which entries of a directory belong to a site. Texts are templates over
/// the site, whose values are escaped for the place they stand in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Directory {
    /// DN of the top of the site's subtree.
    pub base: String,
    /// DN below which groups stand that have the site's entries as members.
    pub groups: Option<String>,
    /// Attributes of groups that name members.
    pub member: Vec<String>,
    pub shared: Option<SharedUsers>,
}

/// Which files of a repository belong to a site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Files {
    /// Template of the path of its folder, or of its one file. One that names
    /// no site is what all sites have in common.
    pub path: String,
}

/// Entries that several sites have in common.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SharedUsers {
    pub base: String,
    /// `(attribute=value)`: an entry that has this value is the site's too.
    pub filter: String,
}

/// Which objects of a bucket belong to a site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Objects {
    /// Template over the site that yields the prefix of its keys.
    pub prefix: String,
}

/// Which files of a tree belong to a site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileTree {
    /// Template over the site that yields its folder, relative to the tree.
    pub folder: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Shard {
    pub id: ShardId,
    /// The live end's URL, unresolved.
    pub live: Text,
    /// Absent for kinds that keep no past of their own, such as a vendor's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    /// Folder to recover in; absolute, or relative to the estate's folder.
    pub scratch: Option<PathBuf>,
}

/// Where a shard's past is kept. Paths are absolute or relative to the estate's folder.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Backup {
    /// `pg_basebackup` in plain format (a folder, or a folder of such folders,
    /// of which the newest that ended before T is taken), and an archive of WAL.
    BaseBackup { base: PathBuf, wal: PathBuf },
    /// A pgBackRest repository, by stanza and configuration file.
    PgBackRest {
        stanza: String,
        config: Option<PathBuf>,
    },
    /// A folder that `mariadb-backup` wrote, or a folder of several, and a
    /// folder of binary logs. `time_zone` is that of the server's machine.
    MariaBackup {
        base: PathBuf,
        binlog: PathBuf,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_zone: Option<String>,
    },
    /// A folder of LDIF files by slapcat, and slapcat's LDIF of the change log
    /// (one file, or a folder of them).
    Slapcat {
        snapshots: PathBuf,
        changes: PathBuf,
    },
    /// The bucket's own versions.
    Versions,
    /// Copies of the tree in folders whose names are the times of their begin.
    Folders { path: PathBuf },
    /// A restic repository; `path` is the tree inside of its snapshots, where
    /// that is another one than in live.
    Restic {
        repository: String,
        password_file: PathBuf,
        host: Option<String>,
        path: Option<PathBuf>,
    },
    /// A folder of segments of recorded events, and a second copy of it.
    Segments {
        path: PathBuf,
        second: Option<PathBuf>,
    },
    /// A git repository, by folder or by what `git clone` takes.
    Git { repository: String, branch: String },
}

/// Text that may hold `${NAME}` references and must be treated as a secret
/// once they are resolved, or when somebody wrote a password into it.
/// Neither `Debug` nor `Serialize` shows more than the names referred to.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The unresolved text. For the resolver only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown: the text if it is nothing but `${NAME}`, else a veil.
    fn shown(&self) -> &str {
        let name = self.0.strip_prefix("${").and_then(|t| t.strip_suffix('}'));
        match name {
            Some(name) if !name.contains(['$', '{', '}']) => &self.0,
            _ => "(hidden)",
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

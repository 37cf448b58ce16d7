//! Who owns which row, written down by hand.
//!
//! The oracle must not share an error with reprise's discovery, so nothing
//! here reads the catalog: every table of the lab's schemas is listed with
//! what tells its rows apart and with the path to its site.

use crate::manifest::Store;

/// One table; in its SQL the table itself is `t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    pub name: &'static str,
    /// Columns that tell rows apart; the whole row where none do.
    pub key: &'static str,
    /// The site that owns a row; absent for tables that all sites share.
    pub owner: Option<Owner>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    pub site: &'static str,
    pub joins: &'static str,
}

impl Table {
    /// The row's key as one text.
    pub fn key_sql(&self) -> String {
        format!("concat_ws('/', {})", self.key)
    }

    /// The rows with their site, key, version and a digest of all their text.
    /// `only`, because a child table is listed for itself.
    pub fn rows_sql(&self) -> String {
        let (site, joins) = self
            .owner
            .map_or(("null", ""), |owner| (owner.site, owner.joins));
        // A partitioned table has no rows of its own.
        let from = match self.name {
            "tracker.events" | "wiki.page_views" => "",
            _ => "only ",
        };
        format!(
            "select ({site})::bigint, {}, t.xmin::text, md5(t::text) from {from}{} t {joins}",
            self.key_sql(),
            self.name
        )
    }
}

const fn shared(name: &'static str, key: &'static str) -> Table {
    Table {
        name,
        key,
        owner: None,
    }
}

const fn owned(
    name: &'static str,
    key: &'static str,
    site: &'static str,
    joins: &'static str,
) -> Table {
    Table {
        name,
        key,
        owner: Some(Owner { site, joins }),
    }
}

pub fn of(store: Store) -> &'static [Table] {
    match store {
        Store::Catalogue => &CATALOGUE,
        Store::Identity => &IDENTITY,
        Store::Product => &PRODUCT,
    }
}

const CATALOGUE: [Table; 8] = [
    shared("regions", "t.code"),
    shared("plans", "t.code"),
    shared("customers", "t.id"),
    owned("sites", "t.id", "t.id", ""),
    owned("site_products", "t.id", "t.site_id", ""),
    owned(
        "licences",
        "t.id",
        "p.site_id",
        "join site_products p on p.id = t.site_product_id",
    ),
    owned("apps", "t.id", "t.site_id", ""),
    owned(
        "app_installs",
        "t.app_id, t.version",
        "a.site_id",
        "join apps a on a.id = t.app_id",
    ),
];

const BY_ORGANISATION: &str = "join organisations o on o.id = t.organisation_id";
const BY_GROUP: &str =
    "join groups g on g.id = t.group_id join organisations o on o.id = g.organisation_id";

const IDENTITY: [Table; 10] = [
    shared("permissions", "t.code"),
    shared("roles", "t.code"),
    shared("role_permissions", "t.role, t.permission"),
    owned("organisations", "t.id", "t.site_id", ""),
    owned("users", "t.id", "o.site_id", BY_ORGANISATION),
    owned("groups", "t.id", "o.site_id", BY_ORGANISATION),
    owned(
        "memberships",
        "t.group_id, t.user_id",
        "o.site_id",
        BY_GROUP,
    ),
    owned("group_roles", "t.group_id, t.role", "o.site_id", BY_GROUP),
    owned("role_grants", "t.group_id, t.role", "o.site_id", BY_GROUP),
    owned(
        "sessions",
        "t.id",
        "o.site_id",
        "join users u on u.id = t.user_id join organisations o on o.id = u.organisation_id",
    ),
];

const BY_PROJECT: &str = "join tracker.projects p on p.id = t.project_id";
const BY_BOARD: &str =
    "join tracker.boards b on b.id = t.board_id join tracker.projects p on p.id = b.project_id";
const BY_WORKFLOW: &str = "join tracker.workflows w on w.id = t.workflow_id join tracker.projects p on p.id = w.project_id";
const BY_ISSUE: &str =
    "join tracker.issues i on i.id = t.issue_id join tracker.projects p on p.id = i.project_id";
const BY_COMMENT: &str = "join tracker.comments c on c.id = t.comment_id \
     join tracker.issues i on i.id = c.issue_id join tracker.projects p on p.id = i.project_id";
const BY_SPACE: &str = "join wiki.spaces s on s.id = t.space_id";
const BY_PAGE: &str =
    "join wiki.pages g on g.id = t.page_id join wiki.spaces s on s.id = g.space_id";

const PRODUCT: [Table; 40] = [
    shared("tracker.currencies", "t.code"),
    shared("tracker.issue_types", "t.id"),
    owned("tracker.site", "t.id", "t.id", ""),
    owned("tracker.site_stats", "t.site_id", "t.site_id", ""),
    owned("tracker.accounts", "t.id", "t.site_id", ""),
    owned("tracker.projects", "t.id", "t.site_id", ""),
    owned("tracker.boards", "t.id", "p.site_id", BY_PROJECT),
    owned("tracker.key_blocks", "t.numbers", "p.site_id", BY_PROJECT),
    owned("tracker.sprints", "t.id", "p.site_id", BY_BOARD),
    owned("tracker.workflows", "t.id", "p.site_id", BY_PROJECT),
    owned(
        "tracker.workflow_statuses",
        "t.workflow_id, t.code",
        "p.site_id",
        BY_WORKFLOW,
    ),
    owned(
        "tracker.workflow_transitions",
        "t.workflow_id, t.from_code, t.to_code",
        "p.site_id",
        BY_WORKFLOW,
    ),
    owned("tracker.components", "t.id", "p.site_id", BY_PROJECT),
    owned("tracker.versions", "t.id", "p.site_id", BY_PROJECT),
    owned("tracker.labels", "t.id", "t.site_id", ""),
    owned("tracker.issues", "t.id", "p.site_id", BY_PROJECT),
    owned(
        "tracker.issue_labels",
        "t.issue_id, t.label_id",
        "p.site_id",
        BY_ISSUE,
    ),
    owned(
        "tracker.issue_versions",
        "t.issue_id, t.version_id",
        "p.site_id",
        BY_ISSUE,
    ),
    owned(
        "tracker.watchers",
        "t.issue_id, t.account_id",
        "p.site_id",
        BY_ISSUE,
    ),
    owned("tracker.issue_links", "t.id", "t.site_id", ""),
    owned("tracker.comments", "t.id", "p.site_id", BY_ISSUE),
    owned(
        "tracker.comment_reactions",
        "t.comment_id, t.account_id",
        "p.site_id",
        BY_COMMENT,
    ),
    owned("tracker.reaction_notices", "t.id", "p.site_id", BY_COMMENT),
    owned("tracker.worklogs", "t.id", "p.site_id", BY_ISSUE),
    owned("tracker.attachments", "t.id", "p.site_id", BY_ISSUE),
    owned(
        "tracker.attachments_archived",
        "t.id",
        "p.site_id",
        BY_ISSUE,
    ),
    owned("tracker.filters", "t.id", "t.site_id", ""),
    owned(
        "tracker.subscriptions",
        "t.filter_id, t.account_id",
        "f.site_id",
        "join tracker.filters f on f.id = t.filter_id",
    ),
    owned("tracker.events", "t.id, t.at", "t.site_id", ""),
    owned("tracker.activity", "t", "p.site_id", BY_ISSUE),
    owned("tracker.audit_log", "t.id", "t.tenant_id", ""),
    owned("tracker.webhooks", "t.id", "t.site_id", ""),
    owned("wiki.spaces", "t.id", "t.site_id", ""),
    owned("wiki.pages", "t.id", "s.site_id", BY_SPACE),
    owned("wiki.page_versions", "t.id", "s.site_id", BY_PAGE),
    owned("wiki.page_comments", "t.id", "s.site_id", BY_PAGE),
    owned(
        "wiki.page_restrictions",
        "t.page_id, t.account_id",
        "s.site_id",
        BY_PAGE,
    ),
    owned(
        "wiki.page_issues",
        "t.page_id, t.issue_id",
        "s.site_id",
        BY_PAGE,
    ),
    owned("wiki.page_views", "t.page_id, t.day", "s.site_id", BY_PAGE),
    owned("wiki.templates", "t.id", "s.site_id", BY_SPACE),
];

//! What the rows in PostgreSQL ask of the other layers: one person for each
//! account, one object for each attachment, one installation for each app.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;

use crate::Error;
use crate::cluster::admin;
use crate::layout::Layout;
use crate::manifest::{Manifest, Store};
use crate::sites::Site;

#[derive(Clone, Debug)]
pub struct Account {
    pub id: String,
    pub email: String,
}

#[derive(Clone, Debug)]
pub struct Attachment {
    pub id: i64,
    pub name: String,
    pub content: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct App {
    pub key: String,
    pub name: String,
}

/// One site, and what refers to it from PostgreSQL.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub site: Site,
    pub accounts: Vec<Account>,
    pub attachments: Vec<Attachment>,
    pub apps: Vec<App>,
}

#[derive(Clone, Debug)]
pub struct Sources {
    pub tenants: Vec<Tenant>,
}

pub async fn sources(
    layout: &Layout,
    manifest: &Manifest,
    sites: &[Site],
) -> Result<Sources, Error> {
    let mut tenants: BTreeMap<i64, Tenant> = sites
        .iter()
        .map(|site| {
            let tenant = Tenant {
                site: site.clone(),
                accounts: Vec::new(),
                attachments: Vec::new(),
                apps: Vec::new(),
            };
            (site.id, tenant)
        })
        .collect();
    for entry in &manifest.clusters {
        let mut connection = admin(layout, entry).await?;
        let asked = match entry.store {
            Store::Product => of_product(&mut connection, &mut tenants).await,
            Store::Catalogue => of_catalogue(&mut connection, &mut tenants).await,
            Store::Identity => Ok(()),
        };
        asked.map_err(Error::sql("reading for the other layers", &entry.name))?;
    }
    Ok(Sources {
        tenants: tenants.into_values().collect(),
    })
}

async fn of_product(
    connection: &mut PgConnection,
    tenants: &mut BTreeMap<i64, Tenant>,
) -> Result<(), sqlx::Error> {
    let accounts: Vec<(i64, String, String)> = sqlx::query_as(
        "select site_id, id::text, email::text from tracker.accounts order by site_id, number",
    )
    .fetch_all(&mut *connection)
    .await?;
    for (site, id, email) in accounts {
        if let Some(tenant) = tenants.get_mut(&site) {
            tenant.accounts.push(Account { id, email });
        }
    }
    let attachments: Vec<(i64, i64, String, Vec<u8>)> = sqlx::query_as(
        "select p.site_id, t.id, t.name, t.content from tracker.attachments t
         join tracker.issues i on i.id = t.issue_id join tracker.projects p on p.id = i.project_id
         order by p.site_id, t.id",
    )
    .fetch_all(connection)
    .await?;
    for (site, id, name, content) in attachments {
        if let Some(tenant) = tenants.get_mut(&site) {
            tenant.attachments.push(Attachment { id, name, content });
        }
    }
    Ok(())
}

async fn of_catalogue(
    connection: &mut PgConnection,
    tenants: &mut BTreeMap<i64, Tenant>,
) -> Result<(), sqlx::Error> {
    let apps: Vec<(i64, String, String)> =
        sqlx::query_as("select site_id, key::text, name from apps order by id")
            .fetch_all(connection)
            .await?;
    for (site, key, name) in apps {
        if let Some(tenant) = tenants.get_mut(&site) {
            tenant.apps.push(App { key, name });
        }
    }
    Ok(())
}

//! Changes two rows behind everybody's back, so that a test can see the audit fail.

use crate::Error;
use crate::accident::Accident;
use crate::cluster::admin;
use crate::layout::Layout;
use crate::manifest::{Manifest, Store};

/// Rewrites one neighbour's row without changing a byte of it, and changes
/// one row of a restored site where there is one; returns how many rows.
pub async fn tamper(layout: &Layout) -> Result<u64, Error> {
    let manifest = Manifest::load(layout)?;
    let restored = Accident::find(layout)?.map_or_else(Vec::new, |accident| accident.sites);
    let mut changed = 0;
    for entry in manifest
        .clusters
        .iter()
        .filter(|entry| entry.store == Store::Catalogue)
    {
        let mut connection = admin(layout, entry).await?;
        for statement in [
            "update sites set name = name
             where id = (select max(id) from sites where id <> all ($1))",
            "update sites set users = users + 1
             where id = (select max(id) from sites where id = any ($1))",
        ] {
            changed += sqlx::query(statement)
                .bind(&restored)
                .execute(&mut connection)
                .await
                .map_err(Error::sql("tampering", &entry.name))?
                .rows_affected();
        }
    }
    Ok(changed)
}

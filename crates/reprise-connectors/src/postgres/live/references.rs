//! Rows of others that point into the slice: neighbours' rows, and rows of
//! tables that belong to no site. They are counted, never changed.

use crate::postgres::slice::{Claim, ForeignKey, SQL, SiteRows};

/// Constraints by which a row that is not the site's could refer to one that is.
pub fn incoming<'a>(rows: &SiteRows<'a>) -> Vec<&'a ForeignKey> {
    let keys = rows.catalog.foreign_keys.iter();
    keys.filter(|key| rows.owned(&key.parent).is_some())
        .filter(|key| !rows.stays_inside(key) && !decides(rows, key))
        .collect()
}

/// The only claim of the child: whoever refers to the site's row is the site's.
fn decides(rows: &SiteRows<'_>, key: &ForeignKey) -> bool {
    match rows.owned(&key.child).map(|owned| owned.claims.as_slice()) {
        Some([Claim::Parent { key: by, .. }]) => by == key,
        Some(_) | None => false,
    }
}

/// Rows of others under alias `t` that refer to the site's, as what follows `from`.
pub fn from_others(rows: &SiteRows<'_>, key: &ForeignKey) -> Option<String> {
    let child = rows.from(&key.child);
    let parent = rows.from(&key.parent);
    let site = rows.condition(&key.parent, "q")?;
    let join = key.join(SQL, "q", "t");
    let of_others = match rows.condition(&key.child, "t") {
        Some(own) => format!(" and ({own}) is not true"),
        None => String::new(),
    };
    Some(format!(
        "{child} t where exists (select 1 from {parent} q where {site} and {join}){of_others}"
    ))
}

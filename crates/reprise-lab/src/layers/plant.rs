//! Faults that a verification must find: each changes one thing of one site.

use clap::ValueEnum;

use super::activity::Activity;
use super::apps::Apps;
use super::directory::Directory;
use super::media::Media;
use crate::Error;
use crate::cluster::admin;
use crate::layout::{Layout, replace};
use crate::manifest::{Manifest, Store};

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Fault {
    /// One of the site's objects is deleted.
    ObjectMissing,
    /// One of the site's objects has other contents, of the same size.
    ObjectWrong,
    /// One person of the site leaves a group.
    MemberMissing,
    /// The vendor says that it installed the site's apps, and does nothing.
    VendorSilent,
    /// One of the site's events is lost from both copies of the record.
    EventGap,
    /// The site's host answers 503.
    Unreachable,
}

/// Plants a fault, and says what it is about.
pub async fn plant(layout: &Layout, fault: Fault, site: i64) -> Result<String, Error> {
    let manifest = Manifest::load(layout)?;
    let secret = layout.read_secret()?;
    let none = || Error::Refused(format!("site {site} has nothing to plant that fault in"));
    match fault {
        Fault::ObjectMissing => {
            let media = Media::new(layout, &manifest, &secret)?;
            media.lose_one(site).await?.ok_or_else(none)
        }
        Fault::ObjectWrong => {
            let media = Media::new(layout, &manifest, &secret)?;
            media.spoil_one(site).await?.ok_or_else(none)
        }
        Fault::MemberMissing => {
            let directory = Directory::new(layout, manifest.port("directory")?, &secret);
            directory.expel_one(site)?.ok_or_else(none)
        }
        Fault::VendorSilent => {
            let apps = Apps::new(layout, manifest.port("apps")?, &secret);
            apps.be_silent_about(site).await?;
            Ok(format!("the apps of site {site}"))
        }
        Fault::EventGap => {
            let activity = Activity::new(layout, &manifest, &secret)?;
            activity.lose_one(site)?.ok_or_else(none)
        }
        Fault::Unreachable => darken(layout, &manifest, site).await,
    }
}

async fn darken(layout: &Layout, manifest: &Manifest, site: i64) -> Result<String, Error> {
    let catalogue = manifest
        .clusters
        .iter()
        .find(|it| it.store == Store::Catalogue);
    let catalogue = catalogue.ok_or_else(|| Error::Refused("there is no catalogue".to_owned()))?;
    let mut connection = admin(layout, catalogue).await?;
    let host: String = sqlx::query_scalar("select host from sites where id = $1")
        .bind(site)
        .fetch_one(&mut connection)
        .await
        .map_err(Error::sql("looking for a host", &catalogue.name))?;
    replace(&layout.dark(), &format!("{host}\n"))?;
    Ok(host)
}

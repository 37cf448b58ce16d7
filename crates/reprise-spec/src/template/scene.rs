//! What a template sees.

use std::collections::BTreeMap;

use reprise_model::{ShardId, SiteId};

/// The site, the shard and the values of the run that a template is rendered
/// for, and the place that errors name, such as `steps.reachable.with.url`.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub place: &'a str,
    pub site: Option<(&'a SiteId, &'a BTreeMap<String, String>)>,
    /// The app that a vendor is asked about, `id` among its attributes.
    pub app: Option<&'a BTreeMap<String, String>>,
    pub shard: Option<&'a ShardId>,
    /// Further names, `target_time` above all.
    pub values: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Scene<'a> {
    pub fn new(place: &'a str) -> Self {
        Self {
            place,
            site: None,
            app: None,
            shard: None,
            values: None,
        }
    }

    pub fn site(mut self, id: &'a SiteId, attributes: &'a BTreeMap<String, String>) -> Self {
        self.site = Some((id, attributes));
        self
    }

    pub fn app(mut self, attributes: &'a BTreeMap<String, String>) -> Self {
        self.app = Some(attributes);
        self
    }

    pub fn shard(mut self, shard: &'a ShardId) -> Self {
        self.shard = Some(shard);
        self
    }

    pub fn values(mut self, values: &'a BTreeMap<String, String>) -> Self {
        self.values = Some(values);
        self
    }

    /// `id` and the attributes, sorted, each once.
    pub(super) fn attribute_names(&self) -> Vec<String> {
        let Some((_, attributes)) = self.site else {
            return Vec::new();
        };
        let mut names: Vec<String> = attributes.keys().cloned().collect();
        names.push("id".to_owned());
        names.sort();
        names.dedup();
        names
    }

    /// As they are written: `app.id`.
    pub(super) fn app_names(&self) -> Vec<String> {
        let names = self.app.into_iter().flatten();
        names.map(|(name, _)| format!("app.{name}")).collect()
    }

    pub(super) fn root_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .values
            .into_iter()
            .flatten()
            .map(|(k, _)| k.clone())
            .collect();
        if self.site.is_some() {
            names.push("site".to_owned());
        }
        if self.app.is_some() {
            names.push("app".to_owned());
        }
        if self.shard.is_some() {
            names.push("shard".to_owned());
        }
        names.sort();
        names
    }
}

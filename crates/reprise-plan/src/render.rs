//! Templates and conditions, as far as compiling needs them.

use reprise_model::{ShardId, SiteId};
use reprise_spec::{Scene, Template};

use crate::input::SiteRow;

/// What a template or a condition may ask about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts<'a> {
    /// Absent beyond scope `site`.
    pub site: Option<(&'a SiteId, &'a SiteRow)>,
    /// Absent where the task belongs to no shard.
    pub shard: Option<&'a ShardId>,
}

impl<'a> Facts<'a> {
    fn scene(self, place: &'a str) -> Scene<'a> {
        let mut scene = Scene::new(place);
        if let Some((id, row)) = self.site {
            scene = scene.site(id, row);
        }
        if let Some(shard) = self.shard {
            scene = scene.shard(shard);
        }
        scene
    }
}

/// `place` is where the text stands, such as `stores.issues.placement`.
pub(crate) fn text(place: &str, text: &str, facts: Facts<'_>) -> Result<String, String> {
    if let Some(value) = attribute(text, facts) {
        return Ok(value.to_owned());
    }
    Template::render(text, &facts.scene(place)).map_err(|error| error.to_string())
}

pub(crate) fn condition(place: &str, text: &str, facts: Facts<'_>) -> Result<bool, String> {
    Template::condition(text, &facts.scene(place)).map_err(|error| error.to_string())
}

/// The value of `{{ site.x }}` without the engine's help. Nearly every
/// placement is of this form, and there may be a million sites to place.
fn attribute<'a>(text: &str, facts: Facts<'a>) -> Option<&'a str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let name = inner.strip_prefix("site.")?;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (_, row) = facts.site.filter(|_| plain)?;
    row.get(name).map(String::as_str)
}

//! A site's live files as items, for what another store refers to.

use std::path::{Path, PathBuf};

use reprise_model::{End, Fault};
use reprise_ports::{Context, Item, Listing, Take};

use super::connector::FolderConnector;
use super::names::text;
use super::tree::{self, Node, What};
use super::watch::blocking;

impl FolderConnector {
    pub(super) async fn list_files(
        &self,
        listing: &Listing,
        take: Take<'_>,
        context: &dyn Context,
    ) -> Result<(), Fault> {
        let side = &listing.side;
        if side.at == End::Target {
            let store = &self.config.store;
            return Err(Fault::permanent(format!(
                "store `{store}` of kind `folder` lists live only"
            )));
        }
        let folder = self.folder(&listing.site)?;
        let root = self.tree(&listing.shard)?.join(&folder);
        let alone = self.alone(&root);
        let found = blocking(context, "listing files", &alone, move |watch| {
            tree::read(&root, watch, &mut Vec::new())
        })
        .await?;
        let files = found.iter().filter(|(_, node)| node.what != What::Folder);
        for (path, node) in files {
            let field = |name: &String| field(name, &folder, path, node);
            let item = Item {
                key: field(&side.key),
                fields: side.compare.iter().map(field).collect(),
            };
            if take(item).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn field(name: &str, folder: &Path, path: &PathBuf, node: &Node) -> Option<String> {
    match (name, &node.what) {
        ("path", _) => Some(text(path)),
        ("file", _) => Some(text(&folder.join(path))),
        ("size", What::File { size }) => Some(size.to_string()),
        _ => None,
    }
}

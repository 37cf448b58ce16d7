//! `kind: http`.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_connectors::http::{
    AppsConfig, AppsConnector, AppsShard, Credentials, Listing, Renderer, Seen,
};
use reprise_model::{Apps, AppsAt, Auth, Store, StoreId, Tenancy, Text};
use reprise_ports::Connector;
use reprise_spec::{Scene, Template, tenant_place};
use secrecy::SecretString;

use super::{Building, WorldError};

/// `others` are the stores that may be asked for the apps of T.
pub(super) fn open(
    store: &Store,
    others: &BTreeMap<StoreId, Arc<dyn Connector>>,
    building: &mut Building<'_>,
) -> Result<Arc<dyn Connector>, WorldError> {
    let wrong = |what: String| WorldError::Http(format!("store `{}`: {what}", store.id));
    let Some(Tenancy::Apps(apps)) = &store.tenant else {
        return Err(wrong("it does not say how the vendor is asked".to_owned()));
    };
    let shards = store.shards.iter().map(|shard| AppsShard {
        id: shard.id.clone(),
        live: building.live(store, shard),
    });
    let shards = shards.collect();
    let config = AppsConfig {
        store: store.id.clone(),
        apps: Apps::clone(apps),
        auth: apps
            .auth
            .as_ref()
            .and_then(|auth| credentials(auth, store, building)),
        shards,
        listing: listing(&apps.at, others, building).map_err(wrong)?,
        renderer: renderer(),
        ca: apps.ca.as_ref().map(|path| building.path(path)),
    };
    Ok(Arc::new(AppsConnector::new(config)))
}

/// Absent in a drill, and where a variable is missing, which is noted.
fn credentials(auth: &Auth, store: &Store, building: &mut Building<'_>) -> Option<Credentials> {
    let mut secret = |text: &Text, key: &str| -> Option<SecretString> {
        building.secret(text, &tenant_place(store.id.as_str(), key))
    };
    match auth {
        Auth::Bearer(token) => secret(token, "auth.bearer").map(Credentials::Bearer),
        Auth::Oauth {
            token_url,
            client_id,
            client_secret,
            scope,
        } => {
            let client_id = secret(client_id, "auth.oauth.client_id");
            let client_secret = secret(client_secret, "auth.oauth.client_secret");
            Some(Credentials::Oauth {
                token_url: token_url.clone(),
                client_id: client_id?,
                client_secret: client_secret?,
                scope: scope.clone(),
            })
        }
    }
}

fn listing(
    at: &AppsAt,
    others: &BTreeMap<StoreId, Arc<dyn Connector>>,
    building: &Building<'_>,
) -> Result<Listing, String> {
    match at {
        AppsAt::File { path } => Ok(Listing::File(building.path(path))),
        AppsAt::Query { store: name, query } => {
            let store = others
                .get(name)
                .ok_or_else(|| format!("`{name}` cannot be asked which apps there were"))?;
            let shard = building
                .estate
                .store(name)
                .and_then(|store| store.shards.first());
            Ok(Listing::Query {
                name: name.clone(),
                store: Arc::clone(store),
                shard: shard
                    .ok_or_else(|| format!("`{name}` has no shard"))?
                    .id
                    .clone(),
                query: query.clone(),
            })
        }
    }
}

fn renderer() -> Renderer {
    Arc::new(|text: &str, seen: &Seen<'_>| {
        let (id, attributes) = seen.site;
        let scene = Scene::new(seen.place).site(id, attributes);
        let scene = match seen.app {
            Some(app) => scene.app(app),
            None => scene,
        };
        Template::render(text, &scene).map_err(|error| error.to_string())
    })
}

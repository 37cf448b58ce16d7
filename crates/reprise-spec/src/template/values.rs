//! The values as minijinja asks for them. It reports an undefined value
//! without its name, so these objects note what they were asked for in vain.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, Value};

use super::Scene;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Missing {
    Root(String),
    Attribute(String),
    OfApp(String),
}

/// Notes the last name that was asked for in vain.
#[derive(Clone, Default, Debug)]
pub(super) struct Watch(Arc<Mutex<Option<Missing>>>);

impl Watch {
    pub fn last_missing(&self) -> Option<Missing> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, missing: Missing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(missing);
    }

    pub fn context(&self, scene: &Scene<'_>) -> Value {
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        for (name, value) in scene.values.into_iter().flatten() {
            values.insert(name.clone(), Value::from(value.as_str()));
        }
        if let Some(shard) = scene.shard {
            values.insert("shard".to_owned(), Value::from(shard.as_str()));
        }
        if let Some(attributes) = scene.app {
            let own = attributes.iter();
            let own = own.map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            let app = self.names(own.collect(), Missing::OfApp);
            values.insert("app".to_owned(), Value::from_object(app));
        }
        if let Some((id, attributes)) = scene.site {
            let mut own: BTreeMap<String, Value> = attributes
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                .collect();
            own.insert("id".to_owned(), Value::from(id.as_str()));
            let site = self.names(own, Missing::Attribute);
            values.insert("site".to_owned(), Value::from_object(site));
        }
        Value::from_object(self.names(values, Missing::Root))
    }

    fn names(&self, values: BTreeMap<String, Value>, missing: fn(String) -> Missing) -> Names {
        Names {
            values,
            missing,
            watch: self.clone(),
        }
    }
}

#[derive(Debug)]
struct Names {
    values: BTreeMap<String, Value>,
    missing: fn(String) -> Missing,
    watch: Watch,
}

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let value = self.values.get(name);
        if value.is_none() {
            self.watch.note((self.missing)(name.to_owned()));
        }
        value.cloned()
    }
}

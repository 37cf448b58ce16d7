//! The vendor of third-party apps, in a process of its own.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::Command;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::service::{Service, answers};
use super::sources::Sources;
use super::{Described, Items, Layer};
use crate::Error;
use crate::layout::Layout;

const CLIENT: &str = "lab";

pub struct Apps {
    service: Service,
    state: PathBuf,
    secret_file: PathBuf,
    secret: String,
    port: u16,
    client: reqwest::Client,
}

impl Apps {
    pub fn new(layout: &Layout, port: u16, secret: &str) -> Self {
        let folder = layout.service("apps");
        Self {
            state: folder.join("state.json"),
            service: Service::new(folder),
            secret_file: layout.secret(),
            secret: secret.to_owned(),
            port,
            client: super::client(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, Error> {
        let answer = request.send().await.and_then(|it| it.error_for_status());
        let body = match answer {
            Ok(answer) => answer.bytes().await,
            Err(error) => Err(error),
        };
        let body = body.map_err(|error| Error::Worker(format!("the vendor: {error}")))?;
        serde_json::from_slice(&body).map_err(|error| Error::Worker(format!("the vendor: {error}")))
    }

    pub async fn be_silent_about(&self, site: i64) -> Result<(), Error> {
        let site = site.to_string();
        let told = json!([{ "what": "nothing", "on": "install", "site": site }]);
        let request = self
            .client
            .put(self.url("/admin/mischief"))
            .body(told.to_string());
        self.ask(request).await.map(drop)
    }

    async fn token(&self) -> Result<String, Error> {
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT}&client_secret={}",
            self.secret
        );
        let request = self
            .client
            .post(self.url("/oauth/token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let answer = self.ask(request).await?;
        Ok(answer["access_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }
}

#[async_trait]
impl Layer for Apps {
    fn name(&self) -> &'static str {
        "apps"
    }

    fn create(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn start(&mut self) -> Result<(), Error> {
        let program =
            env::current_exe().map_err(Error::io("find", &PathBuf::from("reprise-lab")))?;
        let port = self.port;
        let mut command = Command::new(program);
        command
            .args(["vendor", "--client-id", CLIENT])
            .args(["--port", &port.to_string()])
            .arg("--client-secret-file")
            .arg(&self.secret_file)
            .arg("--state")
            .arg(&self.state);
        self.service.start(command, || answers(port))
    }

    async fn fill(&mut self, sources: &Sources) -> Result<(), Error> {
        let sites: BTreeMap<String, BTreeMap<String, &str>> = sources
            .tenants
            .iter()
            .map(|tenant| {
                let apps = tenant.apps.iter().map(|app| (app.key.clone(), "active"));
                (tenant.site.id.to_string(), apps.collect())
            })
            .collect();
        let request = self
            .client
            .put(self.url("/admin/sites"))
            .body(json!(sites).to_string());
        self.ask(request).await.map(drop)
    }

    /// A vendor hands out no backup; which apps there were stands in the catalogue.
    async fn back_up(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn items(&mut self, site: i64) -> Result<Items, Error> {
        let known = self.ask(self.client.get(self.url("/admin/sites"))).await?;
        let apps = known[site.to_string()].as_object().cloned();
        let pairs = apps.unwrap_or_default().into_iter();
        Ok(pairs
            .map(|(app, state)| (app, state.as_str().unwrap_or_default().to_owned()))
            .collect())
    }

    /// Connects one of the site's apps again, as its administrators do.
    async fn change(&mut self, site: i64, number: u64) -> Result<(), Error> {
        let apps: Vec<String> = self.items(site).await?.into_keys().collect();
        let Some(app) = apps.get(number as usize % apps.len().max(1)) else {
            return Ok(());
        };
        let token = self.token().await?;
        let request = self
            .client
            .put(self.url(&format!("/v1/sites/{site}/apps/{app}")))
            .bearer_auth(token)
            .header("idempotency-key", format!("load-{site}-{number}"));
        self.ask(request).await.map(drop)
    }

    async fn delete(&mut self, site: i64) -> Result<(), Error> {
        let request = self
            .client
            .delete(self.url(&format!("/admin/sites/{site}")));
        self.ask(request).await.map(drop)
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn described(&self) -> Described {
        Described {
            estate: include_str!("apps.yaml").to_owned(),
            env: vec![
                ("APPS_URL".to_owned(), self.url("")),
                ("APPS_CLIENT".to_owned(), CLIENT.to_owned()),
                ("APPS_SECRET".to_owned(), self.secret.clone()),
            ],
        }
    }
}

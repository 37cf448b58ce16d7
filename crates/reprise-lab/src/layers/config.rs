//! Configuration: files in a git repository, and the folder that they are
//! deployed to. Its one writer commits what it deploys.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use async_trait::async_trait;

use super::service::tool;
use super::sources::Sources;
use super::{Described, Items, Layer, digest};
use crate::Error;
use crate::layout::Layout;

pub struct Config {
    repository: PathBuf,
    live: PathBuf,
}

impl Config {
    pub fn new(layout: &Layout) -> Self {
        Self {
            repository: layout.backup("config"),
            live: layout.service("config"),
        }
    }

    fn git(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = Command::new("git");
        command
            .arg("--git-dir")
            .arg(&self.repository)
            .arg("--work-tree")
            .arg(&self.live)
            .args([
                "-c",
                "user.name=lab",
                "-c",
                "user.email=lab@example",
                "-c",
                "gc.auto=0",
            ])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("TZ", "UTC")
            .current_dir(&self.live);
        tool("git", "config", &mut command)
    }

    /// Held while files are changed and committed: writers and the accident are
    /// processes of their own, and git lets nobody wait.
    fn turn(&self) -> Result<File, Error> {
        let path = self.repository.join("turn.lock");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }

    /// Of one place alone: elsewhere a restore may be under way, and git fails
    /// over a file that is renamed while it looks.
    fn commit(&self, place: &Path, what: &str) -> Result<(), Error> {
        let path = place.display().to_string();
        // What was restored and never committed is not known to be gone.
        match place.exists() {
            true => self.git(&["add", "--all", "--", &path])?,
            false => self.git(&[
                "rm",
                "-r",
                "--quiet",
                "--cached",
                "--ignore-unmatch",
                "--",
                &path,
            ])?,
        };
        self.git(&["commit", "--quiet", "--allow-empty", "--message", what])
            .map(drop)
    }

    fn folder(&self, site: i64) -> PathBuf {
        self.live.join("sites").join(site.to_string())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    fs::write(path, text).map_err(Error::io("write", path))
}

#[async_trait]
impl Layer for Config {
    fn name(&self) -> &'static str {
        "config"
    }

    fn create(&mut self) -> Result<(), Error> {
        fs::create_dir_all(&self.live).map_err(Error::io("create", &self.live))?;
        self.git(&["init", "--quiet", "--initial-branch=main"])
            .map(drop)
    }

    fn start(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn fill(&mut self, sources: &Sources) -> Result<(), Error> {
        write(&self.live.join("global/limits.yaml"), "uploads: 25MB\n")?;
        for tenant in &sources.tenants {
            let (site, folder) = (&tenant.site, self.folder(tenant.site.id));
            let settings = format!(
                "name: {}\nhost: {}\ntier: {}\n",
                site.name, site.host, site.tier
            );
            write(&folder.join("settings.yaml"), &settings)?;
            let apps: Vec<&str> = tenant.apps.iter().map(|app| app.name.as_str()).collect();
            write(&folder.join("features/flags.json"), &format!("{apps:?}\n"))?;
        }
        self.commit(&self.live, "the sites as they are first")
    }

    /// The repository has its own past.
    async fn back_up(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn items(&mut self, site: i64) -> Result<Items, Error> {
        let mut items = Items::new();
        let top = self.folder(site);
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let content = fs::read(&path).map_err(Error::io("read", &path))?;
                let name = path.strip_prefix(&top).unwrap_or(&path);
                items.insert(name.display().to_string(), digest([content.as_slice()]));
            }
        }
        Ok(items)
    }

    async fn change(&mut self, site: i64, number: u64) -> Result<(), Error> {
        let _turn = self.turn()?;
        let name = format!("features/feature-{}.json", number % 4);
        let path = self.folder(site).join(&name);
        match number.is_multiple_of(5) && path.exists() {
            true => fs::remove_file(&path).map_err(Error::io("remove", &path))?,
            false => write(&path, &format!("{{\"share\": {}}}\n", number % 100))?,
        }
        self.commit(&self.folder(site), &format!("site {site}: {name}"))
    }

    async fn delete(&mut self, site: i64) -> Result<(), Error> {
        let _turn = self.turn()?;
        let folder = self.folder(site);
        if !folder.exists() {
            return Ok(());
        }
        fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        self.commit(&folder, &format!("site {site} is no longer needed"))
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn described(&self) -> Described {
        Described {
            estate: include_str!("config.yaml").to_owned(),
            env: vec![("CONFIG_FOLDER".to_owned(), self.live.display().to_string())],
        }
    }
}

//! OpenLDAP: a subtree of people for each site, groups of a region that have
//! people of many sites, and consultants who belong to several.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use async_trait::async_trait;

use super::ldif::{ADMIN, Entry, Tools};
use super::service::{Service, answers, tool};
use super::sources::{Sources, Tenant};
use super::{Described, Items, Layer, digest};
use crate::Error;
use crate::layout::{Layout, replace};

const CONFIG: &str = include_str!("directory.conf");
const GROUPS: &str = "ou=groups,dc=lab";
const PEOPLE: &str = "ou=people,dc=lab";
/// Each consultant works for this many sites.
const SITES_OF_ONE: usize = 3;

pub struct Directory {
    folder: PathBuf,
    backup: PathBuf,
    service: Service,
    tools: Tools,
    secret: String,
}

fn base(site: i64) -> String {
    format!("ou={site},ou=sites,dc=lab")
}

impl Directory {
    pub fn new(layout: &Layout, port: u16, secret: &str) -> Self {
        let folder = layout.service("directory");
        Self {
            backup: layout.backup("directory"),
            service: Service::new(folder.clone()),
            folder,
            tools: Tools {
                port,
                password: layout.secret(),
            },
            secret: secret.to_owned(),
        }
    }

    fn slapcat(&self, suffix: &str) -> Result<String, Error> {
        let mut command = Command::new("/usr/sbin/slapcat");
        command.arg("-f").arg(self.folder.join("slapd.conf")).args([
            "-o",
            "ldif-wrap=no",
            "-b",
            suffix,
        ]);
        tool("slapcat", "directory", &mut command)
    }

    /// The site's people, in order.
    fn people(&self, site: i64) -> Result<Vec<Entry>, Error> {
        let mut found = self
            .tools
            .search(&base(site), "(objectClass=inetOrgPerson)")?;
        found.sort_by(|a, b| a.dn.cmp(&b.dn));
        Ok(found)
    }

    fn memberships(&self, site: i64) -> Result<Vec<(String, String)>, Error> {
        let end = base(site);
        let groups = self.tools.search(GROUPS, "(objectClass=groupOfNames)")?;
        let of_site = |group: &Entry| {
            let members = group.values("member").filter(|dn| dn.ends_with(&end));
            let pairs = members.map(|member| (group.dn.clone(), member.to_owned()));
            pairs.collect::<Vec<_>>()
        };
        Ok(groups.iter().flat_map(of_site).collect())
    }

    pub fn expel_one(&self, site: i64) -> Result<Option<String>, Error> {
        let Some((group, member)) = self.memberships(site)?.into_iter().next() else {
            return Ok(None);
        };
        self.tools.change(&format!(
            "dn: {group}\nchangetype: modify\ndelete: member\nmember: {member}\n\n"
        ))?;
        Ok(Some(format!("{member} in {group}")))
    }

    fn consultants(&self, site: i64) -> Result<Vec<Entry>, Error> {
        self.tools
            .search(PEOPLE, &format!("(departmentNumber={site})"))
    }
}

#[async_trait]
impl Layer for Directory {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn create(&mut self) -> Result<(), Error> {
        for name in ["data", "log"] {
            let path = self.folder.join(name);
            fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        }
        let snapshots = self.backup.join("snapshots");
        fs::create_dir_all(&snapshots).map_err(Error::io("create", &snapshots))?;
        let text = CONFIG
            .replace("FOLDER", &self.folder.to_string_lossy())
            .replace("SECRET", &self.secret);
        crate::layout::write_private(&self.folder.join("slapd.conf"), &text)
    }

    fn start(&mut self) -> Result<(), Error> {
        let port = self.tools.port;
        let mut command = Command::new("/usr/sbin/slapd");
        command.arg("-f").arg(self.folder.join("slapd.conf")).args([
            "-h",
            &format!("ldap://127.0.0.1:{port}"),
            "-d",
            "0",
        ]);
        self.service.start(command, || answers(port))
    }

    async fn fill(&mut self, sources: &Sources) -> Result<(), Error> {
        self.tools.change(&ldif(&sources.tenants))
    }

    async fn back_up(&mut self) -> Result<(), Error> {
        let text = self.slapcat("dc=lab")?;
        replace(&self.backup.join("snapshots/first.ldif"), &text)
    }

    async fn items(&mut self, site: i64) -> Result<Items, Error> {
        let mut items = Items::new();
        for entry in self.tools.search(&base(site), "(objectClass=*)")? {
            let lines = entry.lines.iter().map(String::as_bytes);
            items.insert(entry.dn.clone(), digest(lines));
        }
        for (group, member) in self.memberships(site)? {
            items.insert(format!("{member} in {group}"), String::new());
        }
        for entry in self.consultants(site)? {
            items.insert(format!("{} of {site}", entry.dn), String::new());
        }
        Ok(items)
    }

    async fn change(&mut self, site: i64, number: u64) -> Result<(), Error> {
        let people = self.people(site)?;
        if people.is_empty() {
            return Ok(());
        }
        let person = &people[number as usize / 3 % people.len()].dn;
        if !number.is_multiple_of(3) {
            return self.tools.change(&format!(
                "dn: {person}\nchangetype: modify\nreplace: description\ndescription: change {number}\n\n"
            ));
        }
        let groups = self.tools.search(GROUPS, "(cn=editors-*)")?;
        let Some(group) = groups.get(number as usize % groups.len().max(1)) else {
            return Ok(());
        };
        let verb = match group.values("member").any(|member| member == person) {
            true => "delete",
            false => "add",
        };
        self.tools.change(&format!(
            "dn: {}\nchangetype: modify\n{verb}: member\nmember: {person}\n\n",
            group.dn
        ))
    }

    async fn delete(&mut self, site: i64) -> Result<(), Error> {
        let mut text = String::new();
        for (group, member) in self.memberships(site)? {
            write!(
                text,
                "dn: {group}\nchangetype: modify\ndelete: member\nmember: {member}\n\n"
            )
            .expect("writing to a string succeeds");
        }
        for entry in self.consultants(site)? {
            let (dn, sites) = (&entry.dn, entry.values("departmentNumber").count());
            let record = match sites {
                1 => format!("dn: {dn}\nchangetype: delete\n\n"),
                _ => format!(
                    "dn: {dn}\nchangetype: modify\ndelete: departmentNumber\ndepartmentNumber: {site}\n\n"
                ),
            };
            text.push_str(&record);
        }
        if !text.is_empty() {
            self.tools.change(&text)?;
        }
        if self
            .tools
            .search(&base(site), "(objectClass=*)")?
            .is_empty()
        {
            return Ok(());
        }
        self.tools.delete_tree(&base(site))
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        let text = self.slapcat("cn=log")?;
        replace(&self.backup.join("changes.ldif"), &text)
    }

    fn described(&self) -> Described {
        Described {
            estate: include_str!("directory.yaml").to_owned(),
            env: vec![(
                "DIRECTORY_URL".to_owned(),
                format!(
                    "ldap://127.0.0.1:{}/?bind={ADMIN}&password={}",
                    self.tools.port, self.secret
                ),
            )],
        }
    }
}

/// Everything that is in the directory at first.
fn ldif(tenants: &[Tenant]) -> String {
    let mut text = String::from(
        "dn: dc=lab\nobjectClass: dcObject\nobjectClass: organization\no: lab\ndc: lab\n\n",
    );
    let mut unit = |dn: &str, ou: &str| {
        write!(
            text,
            "dn: {dn}\nobjectClass: organizationalUnit\nou: {ou}\n\n"
        )
        .expect("writing to a string succeeds");
    };
    for name in ["sites", "groups", "people"] {
        unit(&format!("ou={name},dc=lab"), name);
    }
    for tenant in tenants {
        unit(&base(tenant.site.id), &tenant.site.id.to_string());
    }
    for tenant in tenants {
        for account in &tenant.accounts {
            let dn = format!("uid={},{}", account.id, base(tenant.site.id));
            text.push_str(&person(&dn, &account.id, &account.email));
            text.push('\n');
        }
    }
    groups(tenants, &mut text);
    consultants(tenants, &mut text);
    text
}

fn person(dn: &str, uid: &str, mail: &str) -> String {
    format!(
        "dn: {dn}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {mail}\nsn: Öström\nmail: {mail}\nuserPassword: pw-{uid}\n"
    )
}

/// Editors of each region: every fourth person of its sites.
fn groups(tenants: &[Tenant], text: &mut String) {
    let mut regions: Vec<&str> = tenants.iter().map(|t| t.site.region.as_str()).collect();
    regions.sort_unstable();
    regions.dedup();
    for region in regions {
        let of_region = tenants.iter().filter(|t| t.site.region == region);
        let members = of_region.flat_map(|tenant| {
            let chosen = tenant.accounts.iter().step_by(4);
            chosen.map(|account| format!("uid={},{}", account.id, base(tenant.site.id)))
        });
        // A group must have a member; this one stays when all sites are gone.
        write!(
            text,
            "dn: cn=editors-{region},{GROUPS}\nobjectClass: groupOfNames\ncn: editors-{region}\nmember: {ADMIN}\n"
        )
        .expect("writing to a string succeeds");
        for member in members {
            writeln!(text, "member: {member}").expect("writing to a string succeeds");
        }
        text.push('\n');
    }
}

fn consultants(tenants: &[Tenant], text: &mut String) {
    for (number, first) in tenants.iter().enumerate().step_by(SITES_OF_ONE + 1) {
        let uid = format!("consultant-{number}");
        let mail = format!("{uid}@consulting.example");
        text.push_str(&person(&format!("uid={uid},{PEOPLE}"), &uid, &mail));
        let others = tenants.iter().cycle().skip(number + 1).step_by(7);
        let mut sites: Vec<i64> = others
            .take(SITES_OF_ONE - 1)
            .map(|tenant| tenant.site.id)
            .chain([first.site.id])
            .collect();
        sites.sort_unstable();
        sites.dedup();
        for site in sites {
            writeln!(text, "departmentNumber: {site}").expect("writing to a string succeeds");
        }
        text.push('\n');
    }
}

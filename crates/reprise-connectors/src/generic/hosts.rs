//! Addresses by host instead of DNS, for drills: no host that is not named is
//! asked, so that no drill reaches the real one.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use super::resolve::{Resolver, Secrets};

#[derive(Default, Deserialize)]
pub(super) struct Hosts(BTreeMap<String, String>);

impl Hosts {
    /// With `${NAME}` filled in. An address is no secret.
    pub fn filled(self, resolver: &Resolver) -> Result<Self, String> {
        let fill = |(host, text): (String, String)| {
            let address = Secrets::default().fill(&text, resolver);
            let address = address.map_err(|why| format!("resolve: `{host}`: {why}"))?;
            Ok((host, address))
        };
        self.0
            .into_iter()
            .map(fill)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// What stands for a host: its own name first, then `*.domain`, the
    /// longest first, then `*`. `None` where DNS is to be asked.
    pub fn of(&self, host: &str) -> Result<Option<SocketAddr>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let fits = |name: &str| match name.strip_prefix('*') {
            Some(rest) => host.ends_with(rest),
            None => host.eq_ignore_ascii_case(name),
        };
        let names = self.0.iter().filter(|(name, _)| fits(name));
        let closest = names.max_by_key(|(name, _)| (!name.starts_with('*'), name.len()));
        let (_, address) = closest
            .ok_or_else(|| format!("`{host}` is not in `resolve`, and no other host is asked"))?;
        let address = address.parse();
        address
            .map(Some)
            .map_err(|_| format!("`resolve` has no address and port for `{host}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_goes_first_and_no_other_host_is_asked() {
        let hosts = |text: &str| serde_json::from_str::<Hosts>(text).unwrap();
        let some = hosts(
            r#"{"www.a.eu":"127.0.0.1:1","*.a.eu":"127.0.0.1:2","*.b.a.eu":"127.0.0.1:3","x.eu":"x"}"#,
        );
        let port = |host: &str| some.of(host).map(|found| found.unwrap().port());
        assert_eq!(port("www.a.eu"), Ok(1));
        assert_eq!(port("WWW.A.eu"), Ok(1));
        assert_eq!(port("m.a.eu"), Ok(2));
        assert_eq!(port("m.b.a.eu"), Ok(3));
        assert!(port("a.eu").unwrap_err().contains("no other host is asked"));
        assert!(port("x.eu").unwrap_err().contains("no address and port"));
        assert_eq!(
            hosts(r#"{"*":"[::1]:4"}"#)
                .of("any")
                .unwrap()
                .unwrap()
                .port(),
            4
        );
        assert_eq!(Hosts::default().of("any"), Ok(None));
    }
}

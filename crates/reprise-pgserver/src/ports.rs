//! Ports for private servers.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, TcpListener};

/// Below those that the kernel gives to outgoing connections by default
/// (`ip_local_port_range` in ip(7)): none of these can take a port between the
/// look and its server's start.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// So many ports on loopback that nobody listens on, from a random one on:
/// others who look at the same time find other ones.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    let ports: Vec<u16> = free().take(count).collect();
    match ports.len() == count {
        true => Ok(ports),
        false => Err(Error::new(ErrorKind::AddrInUse, "too few ports are free")),
    }
}

fn free() -> impl Iterator<Item = u16> {
    let random = RandomState::new().hash_one(std::process::id());
    let start = (random % RANGE.len() as u64) as usize;
    let all = RANGE.cycle().skip(start).take(RANGE.len());
    all.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_not_given() {
        let ports = free_ports(3).unwrap();
        assert!(ports[0] != ports[1] && ports[1] != ports[2]);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).unwrap();
        assert!(!free().any(|port| port == ports[0]));
    }
}

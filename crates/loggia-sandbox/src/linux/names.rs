//! The names of hosts inside a network namespace. Each listed host has an address of the loopback network there, so
//! that every program reaches it without knowing of a proxy. No name is looked up outside for an answer: a lookup
//! would carry data out.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use crate::host::HostPattern;

/// The resolver that programs in the namespace ask.
pub(super) const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);
/// The first address for a host. Programs use the lower ones for servers of their own.
const FIRST: u32 = u32::from_be_bytes([127, 64, 0, 1]);
/// The maximum number of names below the patterns that have addresses.
const NAMES: usize = 4096;
/// The time for which a program may keep an answer, in seconds.
const LIFETIME: u32 = 60;

/// The addresses of hosts in one namespace.
pub(super) struct HostAddresses {
    patterns: Vec<HostPattern>,
    addresses: HashMap<String, Ipv4Addr>,
    hosts: Vec<String>,
}

/// The answer to a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NameAnswer {
    /// The packet.
    pub(super) packet: Vec<u8>,
    /// The name, if it is not listed.
    pub(super) refused: Option<String>,
}

impl HostAddresses {
    /// Creates the addresses for the hosts of these patterns.
    pub(super) fn new(patterns: Vec<HostPattern>) -> HostAddresses {
        HostAddresses { patterns, addresses: HashMap::new(), hosts: Vec::new() }
    }

    /// Answers a DNS query; `None` if it cannot be read.
    pub(super) fn answer(&mut self, query: &[u8]) -> Option<NameAnswer> {
        let query = Packet::parse(query).ok()?;
        let question = query.questions.first()?;
        if query.has_flags(PacketFlag::RESPONSE) {
            return None;
        }
        let mut reply = Packet::new_reply(query.id());
        reply.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
        let name = question.qname.to_string().to_ascii_lowercase();
        let address = self.address(&name);
        match address {
            Some(address) if question.qtype == QTYPE::TYPE(TYPE::A) => {
                let data = RData::A(A { address: address.into() });
                reply.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, LIFETIME, data));
            }
            // It has no record of this type.
            Some(_) => {}
            None => *reply.rcode_mut() = RCODE::NameError,
        }
        reply.questions.push(question.clone());
        let packet = reply.build_bytes_vec().ok()?;
        Some(NameAnswer { packet, refused: address.is_none().then_some(name) })
    }

    /// Returns the host that a connection to an address of the namespace means, if it may connect to this port.
    pub(super) fn host(&self, address: Ipv4Addr, port: u16) -> Option<&str> {
        let index = usize::try_from(u32::from(address).wrapping_sub(FIRST)).ok()?;
        let known = self.hosts.get(index).map(String::as_str);
        let literal = || self.patterns.iter().find(|pattern| self.names_address(pattern, address, port));
        match known {
            Some(host) => self.patterns.iter().any(|pattern| pattern.allows(host, port)).then_some(host),
            None => literal().map(HostPattern::name),
        }
    }

    /// Returns whether the author of the list named this host as an address, or this machine.
    pub(super) fn is_explicit_address(&self, host: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_explicit_address() && pattern.allows_host(host))
    }

    fn names_address(&self, pattern: &HostPattern, address: Ipv4Addr, port: u16) -> bool {
        let is_own = address == Ipv4Addr::LOCALHOST && pattern.name() == "localhost";
        (is_own || pattern.address() == Some(address.into())) && pattern.ports().contains(&port)
    }

    fn address(&mut self, name: &str) -> Option<Ipv4Addr> {
        if let Some(address) = self.addresses.get(name) {
            return Some(*address);
        }
        if self.hosts.len() >= NAMES || !self.patterns.iter().any(|pattern| pattern.allows_host(name)) {
            return None;
        }
        let address = Ipv4Addr::from(FIRST + u32::try_from(self.hosts.len()).ok()?);
        self.hosts.push(name.to_owned());
        self.addresses.insert(name.to_owned(), address);
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use simple_dns::{Name, QCLASS, Question};

    use super::*;

    fn addresses() -> HostAddresses {
        let patterns =
            ["api.acme.example", "*.cdn.example", "db.example:5432", "127.0.0.1:8080", "10.1.2.3:22"];
        HostAddresses::new(patterns.map(|text| text.parse().expect("a pattern")).to_vec())
    }

    fn query(name: &str, kind: TYPE) -> Vec<u8> {
        let mut packet = Packet::new_query(7);
        let name = Name::new_unchecked(name);
        packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
        packet.build_bytes_vec().expect("a packet")
    }

    #[test]
    fn listed_hosts_have_addresses_and_others_do_not_exist() {
        let mut addresses = addresses();
        for (name, kind, expected) in [
            ("api.acme.example", TYPE::A, (RCODE::NoError, vec![FIRST])),
            ("API.acme.example", TYPE::A, (RCODE::NoError, vec![FIRST])),
            ("api.acme.example", TYPE::AAAA, (RCODE::NoError, vec![])),
            ("a.cdn.example", TYPE::A, (RCODE::NoError, vec![FIRST + 1])),
            ("secret.evil.example", TYPE::A, (RCODE::NameError, vec![])),
            ("secret.evil.example", TYPE::TXT, (RCODE::NameError, vec![])),
        ] {
            let answer = addresses.answer(&query(name, kind)).expect("an answer");
            let packet = Packet::parse(&answer.packet).expect("a packet");
            let found = packet.answers.iter().filter_map(|record| match &record.rdata {
                RData::A(found) => Some(found.address),
                _ => None,
            });
            assert_eq!((packet.rcode(), found.collect()), expected, "{name} {kind:?}");
            assert_eq!(answer.refused.is_some(), expected.0 == RCODE::NameError, "{name}");
        }
        assert_eq!(addresses.answer(b"no packet"), None);
    }

    #[test]
    fn an_address_means_its_host_at_listed_ports() {
        let mut known = addresses();
        for name in ["api.acme.example", "db.example"] {
            known.answer(&query(name, TYPE::A)).expect("an answer");
        }
        for (address, port, expected) in [
            (Ipv4Addr::from(FIRST), 443, Some("api.acme.example")),
            (Ipv4Addr::from(FIRST), 5432, None),
            (Ipv4Addr::from(FIRST + 1), 5432, Some("db.example")),
            (Ipv4Addr::from(FIRST + 2), 443, None),
            (Ipv4Addr::LOCALHOST, 8080, Some("127.0.0.1")),
            (Ipv4Addr::LOCALHOST, 443, None),
            (Ipv4Addr::new(10, 1, 2, 3), 22, Some("10.1.2.3")),
        ] {
            assert_eq!(known.host(address, port), expected, "{address} {port}");
        }
        assert!(known.is_explicit_address("127.0.0.1") && !known.is_explicit_address("api.acme.example"));
    }
}

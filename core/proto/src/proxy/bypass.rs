//! The endpoints that are reached without the proxy: what `NO_PROXY` means.

use std::net::IpAddr;

/// A list of endpoints that are reached directly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bypass {
    list: Box<str>,
    entries: Box<[Entry]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// `*`
    Everything,
    /// `10.0.0.0/8`, or a single address with its full length.
    Network { address: IpAddr, length: u8 },
    /// `example.com`, which also means every name below it; with or without a port.
    Name { suffix: Box<str>, port: Option<u16> },
}

impl Bypass {
    /// Reads a list, separated by commas or spaces. What cannot be understood matches nothing.
    pub fn parse(list: &str) -> Bypass {
        let entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
        Bypass { list: list.into(), entries: entries.map(Entry::parse).collect() }
    }

    /// The list as it was given.
    pub fn as_str(&self) -> &str {
        &self.list
    }

    /// Whether this endpoint is reached directly.
    pub fn has(&self, host: &str, port: u16) -> bool {
        let address = host.parse::<IpAddr>().ok();
        self.entries.iter().any(|entry| match entry {
            Entry::Everything => true,
            Entry::Network { address: network, length } => {
                address.is_some_and(|address| is_inside(address, *network, *length))
            }
            Entry::Name { suffix, port: only } => {
                only.is_none_or(|only| only == port) && address.is_none() && is_below(host, suffix)
            }
        })
    }
}

impl Entry {
    fn parse(entry: &str) -> Entry {
        if entry == "*" {
            return Entry::Everything;
        }
        let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Entry::Network { address, length: full(address) };
        }
        if let Some((address, length)) = entry.split_once('/')
            && let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u8>())
            && length <= full(address)
        {
            return Entry::Network { address, length };
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => (name, port.parse().ok()),
            Some(_) | None => (entry, None),
        };
        let name = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')).unwrap_or(name);
        Entry::Name { suffix: name.trim_end_matches('.').to_ascii_lowercase().into(), port }
    }
}

const fn full(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn is_inside(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (address.to_bits().into(), network.to_bits().into(), 32),
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let (address, network): (u128, u128) = (address, network);
    // A length of 0 shifts everything out.
    let shift = u32::from(width - length);
    address.checked_shr(shift).unwrap_or(0) == network.checked_shr(shift).unwrap_or(0)
}

fn is_below(host: &str, suffix: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let Some(rest) = host.strip_suffix(suffix) else { return false };
    !suffix.is_empty() && (rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::Bypass;

    #[test]
    fn endpoints_on_the_list_are_reached_directly_and_others_are_not() {
        let list = Bypass::parse("localhost, .example.com 10.0.0.0/8,*.corp, ::1,db.local:5432,fd00::/8,192.0.2.7");
        for (host, port, is_direct) in [
            ("localhost", 1, true),
            ("LOCALHOST.", 1, true),
            ("example.com", 1, true),
            ("a.b.example.com", 1, true),
            ("notexample.com", 1, false),
            ("10.1.2.3", 1, true),
            ("11.1.2.3", 1, false),
            ("x.corp", 1, true),
            ("::1", 1, true),
            ("::2", 1, false),
            ("fd12::1", 1, true),
            ("192.0.2.7", 1, true),
            ("192.0.2.8", 1, false),
            ("db.local", 5432, true),
            ("db.local", 5433, false),
        ] {
            assert_eq!(list.has(host, port), is_direct, "{host}:{port}");
        }
        assert!(Bypass::parse("*").has("anything", 1));
        assert!(Bypass::parse("0.0.0.0/0").has("8.8.8.8", 1));
        for nothing in ["", " ,,", ".", "10.0.0.0/33", "/", ":"] {
            assert!(!Bypass::parse(nothing).has("10.0.0.1", 1), "{nothing:?}");
        }
    }
}

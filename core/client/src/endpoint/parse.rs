//! From text to an endpoint.

use super::{Endpoint, Scheme};
use keepline_proto::ConfigError;
use std::net::{IpAddr, Ipv6Addr};

/// A longer name is no name: DNS ends at 253 characters.
const MAX_HOST: usize = 253;

/// What `sockaddr_un` of Linux holds beside its final zero; Apple's holds four less, and says so at the dial.
#[cfg(unix)]
const MAX_PATH: usize = 107;

pub(super) fn parse(text: &str) -> Result<Endpoint, ConfigError> {
    if let Some(path) = text.strip_prefix("unix:") {
        return parse_path(text, path.strip_prefix("//").unwrap_or(path));
    }
    let (scheme, rest) = match text.split_once("://") {
        None => (Scheme::Tcp, text),
        Some(("tls", rest)) => (Scheme::Tls, rest),
        Some(_) => return Err(wrong(text, "must be host:port, without a scheme but tls:// or unix:")),
    };
    let (host, port) = parse_place(text, rest)?;
    Ok(Endpoint { host: written_once(host).into(), port, weight: 1, scheme })
}

/// An address in the one form that everybody writes: `::0` and `::` are one place.
fn written_once(host: &str) -> String {
    host.parse().map_or_else(|_is_a_name| host.to_owned(), |address: IpAddr| address.to_string())
}

fn parse_place<'a>(text: &str, place: &'a str) -> Result<(&'a str, u16), ConfigError> {
    let wrong = |rule: &str| Err(wrong(text, rule));
    if place.contains('@') {
        return wrong("must not carry credentials");
    }
    if place.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return wrong("must not contain spaces or control characters");
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => match rest.split_once("]:") {
            Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
            Some(_) | None => return wrong("must be [v6 address]:port"),
        },
        None => match place.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => return wrong("must put a v6 address into brackets"),
            Some(parts) => parts,
            None => return wrong("must name a port, as in host:port"),
        },
    };
    if host.is_empty() || host.len() > MAX_HOST {
        return wrong("must name a host of 1 to 253 characters");
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, port)),
        Ok(_) | Err(_) => wrong("must name a port of 1 to 65535"),
    }
}

#[cfg(unix)]
fn parse_path(text: &str, path: &str) -> Result<Endpoint, ConfigError> {
    if !path.starts_with('/') {
        return Err(wrong(text, "must be unix: and an absolute path"));
    }
    // Two at its beginning would be read as the other form when it is shown and parsed again.
    let path = &path[path.len() - path.trim_start_matches('/').len() - 1..];
    if path.len() > MAX_PATH {
        return Err(wrong(text, "must name a path of 1 to 107 bytes"));
    }
    if path.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(wrong(text, "must not contain control characters"));
    }
    Ok(Endpoint { host: path.into(), port: 0, weight: 1, scheme: Scheme::Unix })
}

#[cfg(not(unix))]
fn parse_path(text: &str, _path: &str) -> Result<Endpoint, ConfigError> {
    Err(wrong(text, "must be host:port: this system has no Unix sockets"))
}

fn wrong(text: &str, rule: &str) -> ConfigError {
    ConfigError::new("endpoint", format_args!("{:?}", shown(text)), rule)
}

/// Bad input is shown without what may be a password, and cut.
fn shown(text: &str) -> String {
    let visible = text.rsplit_once('@').map_or(text, |(_, host)| host);
    visible.chars().take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, Scheme};
    #[cfg(unix)]
    use std::path::Path;

    #[test]
    fn good_endpoints_are_parsed() {
        for (text, host, port, shown) in [
            ("localhost:80", "localhost", 80, "localhost:80"),
            ("127.0.0.1:6379", "127.0.0.1", 6379, "127.0.0.1:6379"),
            ("[::1]:502", "::1", 502, "[::1]:502"),
            ("plc-7.example:65535", "plc-7.example", 65535, "plc-7.example:65535"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.scheme(), endpoint.host(), endpoint.port()), (Scheme::Tcp, host, port));
            assert_eq!(endpoint.to_string(), shown);
            let secured = Endpoint::parse(&format!("tls://{text}")).unwrap();
            assert_eq!((secured.scheme(), secured.host(), secured.port()), (Scheme::Tls, host, port));
            assert_eq!(secured.to_string(), format!("tls://{shown}"));
            assert_ne!(secured, endpoint);
        }
    }

    #[cfg(unix)]
    #[test]
    fn paths_of_unix_sockets_are_parsed_in_both_forms() {
        for text in ["unix:/run/a b@c:d.sock", "unix:///run/a b@c:d.sock"] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.scheme(), Scheme::Unix);
            assert_eq!(endpoint.path(), Some(Path::new("/run/a b@c:d.sock")));
            assert_eq!((endpoint.host(), endpoint.port(), endpoint.literal()), ("", 0, None));
            assert_eq!(endpoint.to_string(), "unix:/run/a b@c:d.sock");
        }
        for text in ["unix:////run/x.sock", "unix://///run/x.sock"] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), "unix:/run/x.sock");
        }
        let longest = format!("unix:/{}", "a".repeat(106));
        assert!(Endpoint::parse(&longest).is_ok());
        for (text, rule) in [
            (format!("{longest}a"), "1 to 107 bytes"),
            ("unix:".to_owned(), "absolute path"),
            ("unix:run/x.sock".to_owned(), "absolute path"),
            ("unix://run/x.sock".to_owned(), "absolute path"),
            ("unix://".to_owned(), "absolute path"),
            ("unix:/run/x\0.sock".to_owned(), "control characters"),
        ] {
            let error = Endpoint::parse(&text).unwrap_err();
            assert_eq!(error.field, "endpoint");
            assert!(error.rule.contains(rule), "{text:?}: {error}");
        }
    }

    #[test]
    fn address_written_in_two_ways_is_one_place() {
        let endpoint = Endpoint::parse("[0:0::0]:502").unwrap();
        assert_eq!(endpoint, Endpoint::parse("[::]:502").unwrap());
        assert_eq!((endpoint.host(), endpoint.to_string().as_str()), ("::", "[::]:502"));
    }

    #[test]
    fn weights_are_from_one_to_ten_thousand() {
        assert_eq!(Endpoint::parse("a:1").unwrap().weight(), 1);
        assert_eq!(Endpoint::weighted("a:1", 10_000).unwrap().weight(), 10_000);
        for weight in [0, 10_001, u32::MAX] {
            assert_eq!(Endpoint::weighted("a:1", weight).unwrap_err().field, "endpoints.weight");
        }
        assert_eq!(Endpoint::weighted("a", 1).unwrap_err().field, "endpoint");
    }

    #[test]
    fn bad_endpoints_name_the_field_and_the_rule_and_hide_passwords() {
        for (text, rule) in [
            ("", "must name a port"),
            ("host", "must name a port"),
            ("host:", "1 to 65535"),
            (":80", "1 to 253"),
            ("host:0", "1 to 65535"),
            ("host:65536", "1 to 65535"),
            ("host:-1", "1 to 65535"),
            ("::1:80", "brackets"),
            ("[::1]", "[v6 address]:port"),
            ("[nonsense]:80", "[v6 address]:port"),
            ("tls://host", "must name a port"),
            ("tls://::1:80", "brackets"),
            ("TLS://host:80", "without a scheme but"),
            ("http://host:80", "without a scheme but"),
            ("user:secret@host:80", "credentials"),
            ("tls://user:secret@host:80", "credentials"),
            ("host\r\nX:80", "control characters"),
            ("ho st:80", "spaces"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert_eq!(error.field, "endpoint");
            assert!(error.rule.contains(rule), "{text:?}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
        let long = format!("{}:80", "a".repeat(254));
        assert!(Endpoint::parse(&long).unwrap_err().rule.contains("1 to 253"));
    }
}

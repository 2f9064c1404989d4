//! The proxy that the environment names, as `curl` reads it: `ALL_PROXY`, else `HTTPS_PROXY`, less `NO_PROXY`.

use super::Proxy;
use crate::error::ConfigError;

impl Proxy {
    /// Reads the proxy from variables, whose values `variable` gives: `all_proxy`, else `https_proxy`, each in small
    /// letters before capitals; `no_proxy` names the exceptions. `None` if there is none.
    ///
    /// `HTTP_PROXY` is not asked: it names a proxy for plain HTTP, which often refuses tunnels. A value without a scheme
    /// means an HTTP proxy.
    ///
    /// # Errors
    /// [`ConfigError`] on the field `proxy`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, ConfigError> {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
        let given = |name: &str| either(name).filter(|value| !value.trim().is_empty());
        let Some(url) = given("all_proxy").or_else(|| given("https_proxy")) else { return Ok(None) };
        let url = url.trim();
        let proxy = if url.contains("://") { Proxy::parse(url)? } else { Proxy::parse(&format!("http://{url}"))? };
        Ok(Some(proxy.except(&given("no_proxy").unwrap_or_default())))
    }
}

#[cfg(test)]
mod tests {
    use super::Proxy;

    #[test]
    fn environment_is_read_as_curl_reads_it() {
        let read = |variables: &[(&str, &str)]| {
            let find =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
            Proxy::from_variables(find).map(|proxy| proxy.map(|proxy| proxy.to_string()))
        };
        for (variables, proxy) in [
            (&[][..], None),
            (&[("HTTP_PROXY", "http://p:1")], None),
            (&[("ALL_PROXY", " ")], None),
            (&[("HTTPS_PROXY", "p:3128")], Some("http://p:3128")),
            (&[("https_proxy", "http://small:1"), ("HTTPS_PROXY", "http://big:1")], Some("http://small:1")),
            (&[("https_proxy", "http://p:1"), ("ALL_PROXY", "socks5h://s:1080/")], Some("socks5://s:1080")),
        ] {
            assert_eq!(read(variables).unwrap().as_deref(), proxy, "{variables:?}");
        }
        let error = read(&[("ALL_PROXY", "nonsense://user:secret@p:1")]).unwrap_err();
        assert_eq!(error.field, "proxy");
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn no_proxy_names_the_exceptions() {
        let find = |name: &str| match name {
            "ALL_PROXY" => Some("socks5://p:1080".to_owned()),
            "NO_PROXY" => Some("localhost,127.0.0.0/8".to_owned()),
            _ => None,
        };
        let proxy = Proxy::from_variables(find).unwrap().unwrap();
        assert!(proxy.is_for("example.com", 1));
        assert!(!proxy.is_for("localhost", 1));
        assert!(!proxy.is_for("127.0.0.1", 1));
    }
}

//! What is in force of TLS, as rows: the deadline of a handshake, whom to trust, what to speak, and what never happens.

use super::rows::{Row, Shown, Source};
use crate::tls::TlsOptions;
use keepline::proto::config::{ValidConfig, short};
use keepline::{Endpoint, Tls};
use std::time::Duration;

/// The rows; one alone where nothing is encrypted.
pub(super) fn rows(options: &TlsOptions, endpoints: &[Endpoint], config: &ValidConfig) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |name, value, source| rows.push(Row { name, value, source });
    let word = |word: &str| Shown::Word(word.to_owned());
    let by_default = |given: bool| if given { Source::Given } else { Source::Default };

    let is_declared = options.is_given();
    let encrypted = endpoints.iter().filter(|endpoint| endpoint.is_tls()).count();
    let (scope, is_given) = match encrypted {
        _ if is_declared => (word("on"), true),
        0 => {
            row("tls", Shown::Off, Source::Default);
            return rows;
        }
        count if count == endpoints.len() => (word("on"), true),
        count => (Shown::Word(format!("for {count} of {} endpoints", endpoints.len())), true),
    };
    row("tls", scope, by_default(is_given));
    // With nobody else to try, it has as long as TCP.
    let least = if endpoints.len() > 1 { Duration::ZERO } else { config.connect_per_address };
    let (least, trips) = (short(Tls::HANDSHAKE_LEAST.max(least)), Tls::HANDSHAKE_ROUND_TRIPS);
    row("tls.handshake", Shown::Word(format!("within max({least}, {trips} × TCP time)")), Source::Default);
    row("tls.versions", word(if options.only_tls13 { "1.3" } else { "1.2, 1.3" }), by_default(options.only_tls13));
    let trust = match options.ca_file.len() {
        _ if options.danger_accept_invalid_certificates => word("anybody: dangerous"),
        0 => word("the system's authorities"),
        1 => word("the authorities of 1 file"),
        files => Shown::Word(format!("the authorities of {files} files")),
    };
    row("tls.trust", trust, by_default(options.danger_accept_invalid_certificates || !options.ca_file.is_empty()));
    let pins = if options.pin.is_empty() { Shown::Off } else { Shown::Count(options.pin.len() as u64) };
    row("tls.pins", pins, by_default(!options.pin.is_empty()));
    let name = options.server_name.as_deref().unwrap_or("the endpoint's host");
    row("tls.server_name", word(name), by_default(options.server_name.is_some()));
    let has_identity = options.client_cert.is_some();
    row("tls.client_certificate", if has_identity { word("on") } else { Shown::Off }, by_default(has_identity));
    let alpn = if options.alpn.is_empty() { Shown::Off } else { Shown::Word(options.alpn.join(", ")) };
    row("tls.alpn", alpn, by_default(!options.alpn.is_empty()));
    let resumption = if options.no_tls_resumption { Shown::Off } else { word("on") };
    row("tls.resumption", resumption, by_default(options.no_tls_resumption));
    // A recorded message could be played back to the server; and what is to be encrypted is not sent otherwise.
    row("tls.early_data", word("never"), Source::Default);
    row("tls.downgrade", word("never"), Source::Default);
    rows
}

//! What may help: the next thing to look at, where a cause alone does not say.

use std::fmt;

/// What may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hint {
    /// The peer answers a TLS handshake in plain text.
    PlainText,
    /// The peer answers a TLS handshake in HTTP.
    Http,
    /// The peer ended the connection in the middle of the TLS handshake.
    ClosedInHandshake,
    /// The peer wants a client certificate, and none is configured.
    NoClientCertificate,
    /// The peer refused the client certificate.
    ClientCertificateRefused,
    /// The clock of this machine is earlier than this program.
    ClockNotSet,
    /// A date of the certificate is off by so many seconds, if the clock of this machine is right.
    CheckClock {
        /// How far the clock is past the end of the certificate's time, or before its beginning.
        seconds: u32,
    },
}

impl Hint {
    /// The name used in every language, in logs and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Hint::PlainText => "plain_text",
            Hint::Http => "http",
            Hint::ClosedInHandshake => "closed_in_handshake",
            Hint::NoClientCertificate => "no_client_certificate",
            Hint::ClientCertificateRefused => "client_certificate_refused",
            Hint::ClockNotSet => "clock_not_set",
            Hint::CheckClock { .. } => "check_clock",
        }
    }

    /// Every name.
    pub const NAMES: &'static [&'static str] = &[
        "plain_text",
        "http",
        "closed_in_handshake",
        "no_client_certificate",
        "client_certificate_refused",
        "clock_not_set",
        "check_clock",
    ];
}

/// A sentence for people.
impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::PlainText => f.write_str("the peer answers in plain text; is this its port for TLS?"),
            Hint::Http => f.write_str("the peer answers in HTTP; a captive portal, a proxy, or another port?"),
            Hint::ClosedInHandshake => {
                f.write_str("the peer ended the connection in the TLS handshake; is this its port for TLS?")
            }
            Hint::NoClientCertificate => f.write_str("the peer wants a client certificate, and none is configured"),
            Hint::ClientCertificateRefused => f.write_str("the peer refused the client certificate"),
            Hint::ClockNotSet => f.write_str("the clock of this machine is not set: it is earlier than this program"),
            Hint::CheckClock { seconds } => {
                write!(f, "it is off by {}, if the clock of this machine is right", rough(*seconds))
            }
        }
    }
}

fn rough(seconds: u32) -> String {
    const DAY: u32 = 86_400;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_in_time_is_told_in_its_own_unit() {
        for (seconds, told) in [(1, "1 s"), (600, "10 min"), (86_400, "24 h"), (31_536_000, "365 days")] {
            let hint = Hint::CheckClock { seconds };
            assert_eq!(hint.to_string(), format!("it is off by {told}, if the clock of this machine is right"));
        }
    }
}

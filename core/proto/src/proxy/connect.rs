//! HTTP CONNECT (RFC 9110, 9.3.6): the request, and an answer of which only the status counts.

use super::{Credentials, Progress, Refusal, Target};
use crate::cause::ProxyFailure;
use std::fmt::Write;
use std::time::Duration;

/// 16 kB: twice what the common proxies themselves accept. Whoever sends more is no proxy, or an enemy.
pub const HEADER_MAX: usize = 16 * 1024;

/// The beginning that every answer has. Anything else is told at once, not after 16 kB or a deadline.
const BEGINNING: &[u8] = b"HTTP/1.";

/// The answer: what has come of it.
#[derive(Debug, Default)]
pub(super) struct Connect {
    /// The line that has not come whole.
    line: Vec<u8>,
    /// Bytes of all headers so far, those of interim answers included.
    total: usize,
    /// The status, once its line has come.
    status: Option<u16>,
    retry_after: Option<Duration>,
    is_done: bool,
}

/// The request, whole. The target was checked, so nothing in it ends a line.
pub(super) fn request(credentials: Option<&Credentials>, target: &Target<'_>) -> Vec<u8> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(credentials) = credentials {
        let pair = format!("{}:{}", credentials.user(), credentials.password());
        // Writing to a string cannot fail.
        let _written = write!(request, "Proxy-Authorization: Basic {}\r\n", base64(pair.as_bytes()));
    }
    request.push_str("\r\n");
    request.into_bytes()
}

impl Connect {
    pub(super) fn held(&self) -> usize {
        self.line.len()
    }

    /// One byte after the other: an answer is judged by the byte that decides it, however the bytes were cut.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<Progress, Refusal> {
        let mut consumed = 0;
        for byte in bytes {
            if self.is_done {
                break;
            }
            consumed += 1;
            self.total += 1;
            if self.total > HEADER_MAX {
                return Err(Refusal::protocol("the header of the answer has more than 16 kB"));
            }
            if *byte == b'\n' {
                self.end_line()?;
                continue;
            }
            self.line.push(*byte);
            if self.status.is_none() && !is_beginning(&self.line) {
                return Err(Refusal::protocol("the answer is not HTTP/1"));
            }
        }
        Ok(Progress { consumed, send: Vec::new(), is_done: self.is_done })
    }

    fn end_line(&mut self) -> Result<(), Refusal> {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        match self.status {
            None => match status(line) {
                Some(status) => self.status = Some(status),
                None => return Err(Refusal::protocol("the answer has no status")),
            },
            Some(status) if line.is_empty() => self.end_header(status)?,
            Some(_) => {
                if let Some(seconds) = retry_after(line) {
                    self.retry_after = Some(seconds);
                }
            }
        }
        self.line.clear();
        Ok(())
    }

    fn end_header(&mut self, status: u16) -> Result<(), Refusal> {
        match status {
            // An interim answer: the real one follows.
            100..=199 => self.status = None,
            // Whatever its headers say, a success has no body: the next byte is the endpoint's.
            200..=299 => self.is_done = true,
            _ => return Err(refused(status, self.retry_after)),
        }
        Ok(())
    }
}

fn is_beginning(line: &[u8]) -> bool {
    let length = line.len().min(BEGINNING.len());
    line[..length] == BEGINNING[..length]
}

/// `HTTP/1.1 200 whatever` → 200.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(BEGINNING)?;
    let [minor, b' ', hundreds, tens, ones, rest @ ..] = rest else { return None };
    let is_end = matches!(rest, [] | [b' ', ..]);
    let digits = [*hundreds, *tens, *ones];
    if !minor.is_ascii_digit() || !digits.iter().all(u8::is_ascii_digit) || !is_end {
        return None;
    }
    let status = digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    (100..=599).contains(&status).then_some(status)
}

/// `Retry-After: 120` → 2 min. A date is ignored: it would be judged by a clock that may be wrong.
fn retry_after(line: &[u8]) -> Option<Duration> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    if !line[..colon].eq_ignore_ascii_case(b"retry-after") {
        return None;
    }
    let value = std::str::from_utf8(&line[colon + 1..]).ok()?.trim();
    // A number of 20 digits is as good as the longest that is honoured.
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(value.parse().unwrap_or(u32::MAX.into())))
}

fn refused(status: u16, retry_after: Option<Duration>) -> Refusal {
    let (failure, rule) = match status {
        407 => (ProxyFailure::Auth, "the proxy wants other credentials"),
        // Not a proxy's word, but told by some.
        401 => (ProxyFailure::Auth, "the proxy wants credentials"),
        403 | 451 => (ProxyFailure::Denied, "the rules of the proxy forbid the endpoint"),
        400 | 404 | 405 | 426 | 501 | 505 => {
            (ProxyFailure::Unsupported, "the proxy makes no tunnels, or not like this")
        }
        502 | 504 => (ProxyFailure::Unreachable, "the proxy could not connect to the endpoint"),
        408 | 429 | 500..=599 => (ProxyFailure::Unavailable, "the proxy failed, is busy, or does not say why"),
        400..=499 => (ProxyFailure::Denied, "the proxy refused the request"),
        _ => (ProxyFailure::Protocol, "the status has no meaning for a tunnel"),
    };
    Refusal { failure, code: Some(status), retry_after, rule }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { letter.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}

//! SOCKS 5 (RFC 1928) with a name and a password (RFC 1929): what is asked, and every answer that there is.

use super::{Credentials, Progress, Refusal, Target};
use crate::cause::ProxyFailure;
use std::net::SocketAddr;

const VERSION: u8 = 5;
const AUTH_VERSION: u8 = 1;
const NO_AUTH: u8 = 0;
const PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The exchange: where it stands, and the beginning of an answer.
#[derive(Debug)]
pub(super) struct Socks5 {
    step: Step,
    /// At most one answer, which has no more than 262 bytes.
    answer: Vec<u8>,
    /// Sent once the proxy asks for it; empty if there is none.
    login: Secret,
    request: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Method,
    Login,
    Request,
    Done,
}

/// Bytes that `Debug` does not show.
struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Socks5 {
    pub(super) fn start(credentials: Option<&Credentials>, target: &Target<'_>) -> (Socks5, Vec<u8>) {
        let login = Secret(credentials.map(login).unwrap_or_default());
        let hello = match credentials {
            Some(_) => vec![VERSION, 2, NO_AUTH, PASSWORD],
            None => vec![VERSION, 1, NO_AUTH],
        };
        (Socks5 { step: Step::Method, answer: Vec::new(), login, request: request(target) }, hello)
    }

    pub(super) fn held(&self) -> usize {
        self.answer.len()
    }

    /// One byte after the other: an answer is judged by the byte that decides it, however the bytes were cut.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<Progress, Refusal> {
        let mut progress = Progress::default();
        for byte in bytes {
            if self.step == Step::Done {
                break;
            }
            progress.consumed += 1;
            self.answer.push(*byte);
            match self.step {
                Step::Method => self.method(&mut progress)?,
                Step::Login => self.logged_in(&mut progress)?,
                Step::Request => self.reply()?,
                Step::Done => {}
            }
        }
        progress.is_done = self.step == Step::Done;
        Ok(progress)
    }

    fn method(&mut self, progress: &mut Progress) -> Result<(), Refusal> {
        check_version(&self.answer)?;
        let [_, method] = self.answer[..] else { return Ok(()) };
        match method {
            NO_AUTH => self.ask(progress),
            PASSWORD if !self.login.0.is_empty() => {
                self.answer.clear();
                self.step = Step::Login;
                progress.send.append(&mut self.login.0);
            }
            NONE_ACCEPTABLE => {
                return Err(auth("the proxy accepts none of our ways to log in", None));
            }
            _ => return Err(Refusal::protocol("the proxy chose a way to log in that was not offered")),
        }
        Ok(())
    }

    fn logged_in(&mut self, progress: &mut Progress) -> Result<(), Refusal> {
        // The version of this answer is told wrongly by proxies in the field, and decides nothing.
        let [_, status] = self.answer[..] else { return Ok(()) };
        if status != 0 {
            return Err(auth("the proxy refused the name and the password", Some(status.into())));
        }
        self.ask(progress);
        Ok(())
    }

    fn ask(&mut self, progress: &mut Progress) {
        self.answer.clear();
        self.step = Step::Request;
        progress.send.append(&mut self.request);
    }

    fn reply(&mut self) -> Result<(), Refusal> {
        check_version(&self.answer)?;
        match self.answer[..] {
            // Judged before the address, which some proxies leave out of a refusal.
            [_, code] if code != 0 => return Err(refused(code)),
            [_, _, _, kind] if ![IPV4, NAME, IPV6].contains(&kind) => {
                return Err(Refusal::protocol("the reply names an address of an unknown kind"));
            }
            [_, _, _, ..] => {}
            [..] => return Ok(()),
        }
        let address = match self.answer[3..] {
            [IPV4, ..] => 4,
            [IPV6, ..] => 16,
            [NAME, length, ..] => 1 + usize::from(length),
            [..] => return Ok(()),
        };
        if self.answer.len() == 4 + address + 2 {
            self.answer.clear();
            self.step = Step::Done;
        }
        Ok(())
    }
}

fn check_version(answer: &[u8]) -> Result<(), Refusal> {
    match answer.first() {
        Some(&VERSION) | None => Ok(()),
        Some(_) => Err(Refusal::protocol("the answer is not SOCKS 5")),
    }
}

fn login(credentials: &Credentials) -> Vec<u8> {
    let (user, password) = (credentials.user().as_bytes(), credentials.password().as_bytes());
    // Their lengths were checked when the proxy was declared.
    let length = |text: &[u8]| u8::try_from(text.len()).unwrap_or(u8::MAX);
    [&[AUTH_VERSION, length(user)], user, &[length(password)], password].concat()
}

fn request(target: &Target<'_>) -> Vec<u8> {
    let mut request = vec![VERSION, CONNECT, 0];
    let port = match target {
        Target::Address(SocketAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.ip().octets());
            address.port()
        }
        Target::Address(SocketAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.ip().octets());
            address.port()
        }
        Target::Name(name, port) => {
            // The name was checked: it has at most 253 bytes.
            request.extend_from_slice(&[NAME, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
            request.extend_from_slice(name.as_bytes());
            *port
        }
    };
    request.extend_from_slice(&port.to_be_bytes());
    request
}

fn auth(rule: &'static str, code: Option<u16>) -> Refusal {
    Refusal { failure: ProxyFailure::Auth, code, retry_after: None, rule }
}

fn refused(code: u8) -> Refusal {
    let (failure, rule) = match code {
        1 => (ProxyFailure::Unavailable, "the proxy failed"),
        2 => (ProxyFailure::Denied, "the rules of the proxy forbid the endpoint"),
        3 => (ProxyFailure::Unreachable, "the proxy has no way to the network of the endpoint"),
        4 => (ProxyFailure::Unreachable, "the proxy has no way to the endpoint"),
        5 => (ProxyFailure::Refused, "the endpoint refused the proxy"),
        6 => (ProxyFailure::Unreachable, "the time to live ran out behind the proxy"),
        7 => (ProxyFailure::Unsupported, "the proxy makes no connections"),
        8 => (ProxyFailure::Unsupported, "the proxy does not know this kind of address"),
        _ => (ProxyFailure::Protocol, "the reply has an unknown code"),
    };
    Refusal { failure, code: Some(code.into()), retry_after: None, rule }
}

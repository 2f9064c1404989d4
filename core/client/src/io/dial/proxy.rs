//! The way through a proxy: TCP to the proxy, with everything that belongs to it, then the exchange that opens the rest.

use super::SPEAKS_FIRST;
use super::connect::Reached;
use super::{Order, direct, resolve};
use crate::ask::Asked;
use crate::clock;
use crate::endpoint::Endpoint;
use crate::io::ending_of;
use keepline_proto::cause::ProxyFailure;
use keepline_proto::proxy::{Credentials, Handshake, Proxy, ProxyNames, Target};
use keepline_proto::{Cause, Ending};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// 4 KiB for one look at an answer: more than any answer that is not refused for its size in the end.
const LOOK: usize = 4 * 1024;

/// Connects to the proxy and has it connect to the endpoint: by name, or to the first of its addresses that it reaches.
pub(super) async fn through(order: &Order, proxy: &Proxy) -> Result<Reached, Ending> {
    let endpoint = &order.endpoint;
    let target = Target::of(endpoint.host(), endpoint.port());
    // Asked once, while the proxy is dialled, however many of the endpoint's addresses it is asked for.
    let login = Login { declared: proxy.credentials(), asked: order.proxy_login.as_ref().map(|login| login.ask()) };
    match (proxy.names(), target) {
        (ProxyNames::Proxy, _) | (ProxyNames::Local, Target::Address(_)) => tunnel(order, proxy, &login, &target).await,
        (ProxyNames::Local, Target::Name(..)) => {
            let mut last = None;
            for address in resolve::resolve(order).await?.addresses {
                match tunnel(order, proxy, &login, &Target::Address(address)).await {
                    Ok(through) => return Ok(through),
                    Err(ending) if is_about_the_address(ending.cause) => last = Some(ending),
                    Err(ending) => return Err(ending),
                }
            }
            Err(last.unwrap_or(timeout()))
        }
    }
}

/// Whether another address of the same endpoint may fare better.
const fn is_about_the_address(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Proxy(
            ProxyFailure::Denied | ProxyFailure::Refused | ProxyFailure::Unreachable | ProxyFailure::Unsupported
        )
    )
}

/// What the proxy is told, if it is told anything.
struct Login<'a> {
    declared: Option<&'a Credentials>,
    /// What a provider of the user was asked for.
    asked: Option<Asked<Credentials>>,
}

impl Login<'_> {
    async fn credentials(&self) -> Result<Option<Credentials>, Ending> {
        let Some(asked) = &self.asked else { return Ok(self.declared.cloned()) };
        let none = |_failed_or_late| Ending::new(Cause::Proxy(ProxyFailure::Credentials), None);
        asked.answer.get().await.map(Some).map_err(none)
    }
}

async fn tunnel(order: &Order, proxy: &Proxy, login: &Login<'_>, target: &Target<'_>) -> Result<Reached, Ending> {
    let begun = clock::now();
    let own = Endpoint::of_proxy(proxy);
    // Earlier than the machine, which could not say that it was the proxy.
    let order = Order { endpoint: own, deadline: order.deadline - SPEAKS_FIRST, ..order.clone() };
    let mut reached = direct(&order).await.map_err(at_the_proxy)?;
    let limit = order.remaining();
    match tokio::time::timeout(limit, exchange(&mut reached.stream, proxy, login, target)).await {
        // What follows goes the whole way.
        Ok(Ok(())) => Ok(Reached { took: clock::now().since(begun), ..reached }),
        Ok(Err(ending)) => Err(ending),
        Err(_elapsed) => Err(timeout()),
    }
}

/// Speaks to the proxy until the way is open. Nothing is read that is the endpoint's.
async fn exchange(stream: &mut TcpStream, proxy: &Proxy, login: &Login<'_>, target: &Target<'_>) -> Result<(), Ending> {
    let credentials = login.credentials().await?;
    let started = Handshake::start_as(proxy, credentials.as_ref(), target);
    let (mut handshake, hello) = started.map_err(|refusal| refusal.ending())?;
    stream.write_all(&hello).await.map_err(|error| broken(&error))?;
    let mut bytes = [0; LOOK];
    loop {
        let seen = stream.peek(&mut bytes).await.map_err(|error| broken(&error))?;
        if seen == 0 {
            return Err(Ending::new(Cause::Proxy(ProxyFailure::Closed), None));
        }
        let progress = handshake.receive(&bytes[..seen]).map_err(|refusal| {
            tracing::debug!(%proxy, code = refusal.code, "{}", refusal.rule);
            refusal.ending()
        })?;
        // They are there: this does not wait.
        stream.read_exact(&mut bytes[..progress.consumed]).await.map_err(|error| broken(&error))?;
        if !progress.send.is_empty() {
            stream.write_all(&progress.send).await.map_err(|error| broken(&error))?;
        }
        if progress.is_done {
            tracing::debug!(%proxy, "the proxy has connected us");
            return Ok(());
        }
    }
}

/// A failure on the way to the proxy is the proxy's, unless it is this host's.
fn at_the_proxy(ending: Ending) -> Ending {
    Ending { cause: cause_at_the_proxy(ending.cause), ..ending }
}

/// What the end of a dial means if it was the proxy that was dialled.
pub(crate) const fn cause_at_the_proxy(cause: Cause) -> Cause {
    match cause {
        Cause::Refused => Cause::Proxy(ProxyFailure::Unavailable),
        Cause::ConnectTimeout => Cause::Proxy(ProxyFailure::Timeout),
        Cause::Reset => Cause::Proxy(ProxyFailure::Closed),
        // Names, routes and resources are as they are, whoever is dialled.
        _ => cause,
    }
}

/// An error of the socket while the proxy has the word.
fn broken(error: &io::Error) -> Ending {
    let ending = Ending { detector: None, ..ending_of(error) };
    match ending.cause {
        Cause::PeerClosed | Cause::Reset => Ending { cause: Cause::Proxy(ProxyFailure::Closed), ..ending },
        Cause::PathSilent => Ending { cause: Cause::Proxy(ProxyFailure::Timeout), ..ending },
        _ => ending,
    }
}

fn timeout() -> Ending {
    Ending::new(Cause::Proxy(ProxyFailure::Timeout), None)
}

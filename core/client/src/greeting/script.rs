//! A declared greeting, played: what is sent, what is expected, and by what signs the peer refuses.

use super::{GreetingError, GreetingIo};
use bytes::Bytes;
use keepline_proto::config::{Matcher, RetryAfter, Script, Step};
use keepline_proto::subscriptions::Subscription;
use std::collections::VecDeque;

/// Plays the script; returns the signs that hold for what follows.
pub(super) async fn play(io: &GreetingIo, script: Script) -> Result<Signs, GreetingError> {
    let mut signs = Signs::default();
    for step in script.0 {
        match step {
            Step::Send(message) => io.send(message),
            Step::SendCredentials { prefix, suffix } => io.send(io.credentials().await?.between(&prefix, &suffix)),
            Step::Refused(matcher) => signs.refused.push(matcher),
            Step::RetryAfter(retry_after) => signs.busy.push(retry_after),
            Step::Expect(matcher) => {
                let frame = io.recv().await;
                signs.judge(&frame)?;
                if !matcher.matches(&frame) {
                    return Err(GreetingError::unexpected());
                }
            }
        }
    }
    Ok(signs)
}

/// Sends what the connection begins with, and waits for what confirms it. Other frames keep their order for the inbox.
pub(super) async fn resubscribe(
    io: &GreetingIo,
    subscriptions: Vec<Subscription>,
    signs: &Signs,
    room: usize,
) -> Result<(), GreetingError> {
    let mut awaited = VecDeque::new();
    for subscription in subscriptions {
        io.send(subscription.frame);
        awaited.extend(subscription.confirmed_by);
    }
    let mut others = Vec::new();
    let mut held = 0;
    // A peer that floods the client with messages has subscribed it: what is left of its word goes to the inbox with them.
    while !awaited.is_empty() && held <= room {
        let frame = io.recv().await;
        signs.judge(&frame)?;
        match awaited.iter().position(|matcher: &Matcher| matcher.matches(&frame)) {
            Some(index) => drop(awaited.remove(index)),
            None => {
                held += frame.len();
                others.push(frame);
            }
        }
    }
    io.put_back(others);
    Ok(())
}

/// By what the peer refuses.
#[derive(Debug, Default)]
pub(super) struct Signs {
    refused: Vec<Matcher>,
    busy: Vec<RetryAfter>,
}

impl Signs {
    fn judge(&self, frame: &Bytes) -> Result<(), GreetingError> {
        if self.refused.iter().any(|matcher| matcher.matches(frame)) {
            return Err(GreetingError::auth("the peer refused the credentials"));
        }
        match self.busy.iter().find_map(|busy| busy.read(frame)) {
            Some(wait) => Err(GreetingError::rejected("the peer asked to come back later").retry_after(wait)),
            None => Ok(()),
        }
    }
}

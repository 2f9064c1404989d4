//! The greeting of a connection: begun, carried on, and heard out when the peer leaves in the middle of it.

use super::Driver;
use crate::clock;
use crate::greeting::{Exchange, Greeting, Plan};
use keepline_proto::config::Greeting as Declared;
use keepline_proto::{Ending, Epoch};
use std::task::{Context, Poll};

impl Driver {
    pub(super) fn greet(&mut self, epoch: Epoch) {
        let shared = self.shared.clone();
        let exchange = match (&shared.config.greeting, shared.extras.login().and_then(|login| login.hook())) {
            (Some(Declared::Script(script)), _) => Exchange::Script(script.clone()),
            (Some(Declared::Hook), Some(hook)) => Exchange::Hook(hook.clone()),
            (Some(Declared::Hook), None) => return,
            (None, _) => Exchange::Nothing,
        };
        // What runs beside another connection waits with this until it has won.
        let is_alone = self.session.challenger() != Some(epoch);
        let subscriptions = if is_alone { shared.writer().confirmed_subscriptions(epoch) } else { Vec::new() };
        let plan = Plan { exchange, subscriptions, room: shared.config.inbox_bytes };
        let Some(connection) = self.connection(epoch) else { return };
        let greeting = Greeting::start(epoch, shared.extras.login(), plan);
        connection.early().greeting = Some(greeting);
        shared.wake_driver();
    }

    pub(super) fn greeting_turn(&mut self, context: &mut Context<'_>) -> bool {
        let Some(connection) = self.io.connection_mut() else { return false };
        let epoch = connection.epoch;
        match connection.poll_greeting(context, &self.shared) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                self.session.handle_greeted(clock::now(), epoch);
                self.act();
                true
            }
            Poll::Ready(Err(ending)) => {
                self.end(epoch, ending);
                true
            }
        }
    }

    /// Leaves the end of a connection to its greeting, if one is under way: what the peer said before it left may be why.
    pub(super) fn leave_to_greeting(&mut self, epoch: Epoch, ending: Ending) -> bool {
        let Some(greeting) = self.connection(epoch).and_then(|connection| connection.greeting_mut()) else {
            return false;
        };
        greeting.peer_left(ending);
        true
    }
}

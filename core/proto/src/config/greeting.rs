//! What must succeed before a connection counts as `Connected`: who the client is, and what the server says to that.

use crate::config::{Matcher, RetryAfter};
use crate::secret::Secret;
use bytes::Bytes;
use std::fmt;

/// What must succeed before a connection counts as `Connected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// Declared sends and expected replies.
    Script(Script),
    /// A hook of the user, held by the driver.
    Hook,
}

/// Where the credentials of a greeting come from.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// These, at each attempt.
    Static(Secret),
    /// A provider of the user, held by the driver and asked once for each attempt.
    Provider,
}

/// A greeting as a list of steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script(pub Vec<Step>);

/// One step of a greeting.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this message.
    Send(Bytes),
    /// Send the credentials, as one message with these bytes around them.
    SendCredentials {
        /// What comes before them.
        prefix: Bytes,
        /// What comes after them.
        suffix: Bytes,
    },
    /// The next frame must match, or the greeting has failed. `None` is refused.
    Expect(Matcher),
    /// From here on a frame that matches means that the peer refused the credentials. Waits for nothing by itself.
    /// `Exact` or `Prefix`.
    Refused(Matcher),
    /// From here on a frame that matches means that the peer wants the client to come back later. Waits for nothing by
    /// itself.
    RetryAfter(RetryAfter),
}

// The bytes may be a password: only their number is shown.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Step::SendCredentials { prefix, suffix } => {
                write!(f, "SendCredentials({} bytes, …, {} bytes)", prefix.len(), suffix.len())
            }
            Step::Expect(matcher) => write!(f, "Expect({matcher:?})"),
            Step::Refused(matcher) => write!(f, "Refused({matcher:?})"),
            Step::RetryAfter(retry_after) => write!(f, "{retry_after:?}"),
        }
    }
}

impl Script {
    /// Adds a message to send.
    pub fn send(mut self, bytes: impl Into<Bytes>) -> Script {
        self.0.push(Step::Send(bytes.into()));
        self
    }

    /// Adds a message made of the credentials, with these bytes around them. A provider may as well give the whole
    /// message; both are then empty.
    pub fn send_credentials(mut self, prefix: impl Into<Bytes>, suffix: impl Into<Bytes>) -> Script {
        self.0.push(Step::SendCredentials { prefix: prefix.into(), suffix: suffix.into() });
        self
    }

    /// Adds a frame to expect.
    pub fn expect(mut self, matcher: Matcher) -> Script {
        self.0.push(Step::Expect(matcher));
        self
    }

    /// Declares how the peer refuses the credentials, for each frame that is expected after this.
    pub fn refused(mut self, matcher: Matcher) -> Script {
        self.0.push(Step::Refused(matcher));
        self
    }

    /// Declares how the peer asks the client to come back later, for each frame that is expected after this.
    pub fn retry_after(mut self, retry_after: RetryAfter) -> Script {
        self.0.push(Step::RetryAfter(retry_after));
        self
    }

    /// Whether it sends the credentials.
    pub fn sends_credentials(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::SendCredentials { .. }))
    }
}

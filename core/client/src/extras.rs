//! What few clients are given: one pointer in all the others.

use crate::governor::Governor;
use crate::greeting::Login;
use crate::hooks::SocketHook;
#[cfg(target_os = "linux")]
use crate::inline_reads::InlineReads;
use crate::streams::StreamSlot;
#[cfg(feature = "tls")]
use crate::tls::TlsSide;
use keepline_proto::config::Unsolicited;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Given when the client is made, and the same for all its life.
#[derive(Debug, Default)]
pub(crate) struct Extras(Option<Box<Given>>);

#[derive(Debug, Default)]
struct Given {
    login: Option<Box<Login>>,
    socket_hook: Option<SocketHook>,
    governor: Option<Governor>,
    streams: Option<Arc<StreamSlot>>,
    discarded: AtomicU64,
    #[cfg(target_os = "linux")]
    inline_reads: Option<Box<InlineReads>>,
    #[cfg(feature = "tls")]
    tls: Option<Box<TlsSide>>,
}

impl Extras {
    /// How it logs in.
    pub(crate) fn login(&self) -> Option<&Login> {
        self.0.as_ref()?.login.as_deref()
    }

    /// What is done to its sockets.
    pub(crate) fn socket_hook(&self) -> Option<&SocketHook> {
        self.0.as_ref()?.socket_hook.as_ref()
    }

    /// Who holds its retries back, where that is not the process's own.
    pub(crate) fn governor(&self) -> Option<&Governor> {
        self.0.as_ref()?.governor.as_ref()
    }

    /// Where the connections of a stream client lie.
    pub(crate) fn streams(&self) -> Option<&Arc<StreamSlot>> {
        self.0.as_ref()?.streams.as_ref()
    }

    /// Messages dropped because nobody asked for them, where that is declared.
    pub(crate) fn discarded(&self) -> Option<&AtomicU64> {
        self.0.as_ref().map(|given| &given.discarded)
    }

    /// How an event loop reads by itself.
    #[cfg(target_os = "linux")]
    pub(crate) fn inline_reads(&self) -> Option<&InlineReads> {
        self.0.as_ref()?.inline_reads.as_deref()
    }

    /// What encrypts.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Option<&TlsSide> {
        self.0.as_ref()?.tls.as_deref()
    }

    pub(crate) fn with_login(mut self, login: Option<Box<Login>>) -> Extras {
        if login.is_some() {
            self.given().login = login;
        }
        self
    }

    pub(crate) fn with_socket_hook(mut self, hook: Option<SocketHook>) -> Extras {
        if hook.is_some() {
            self.given().socket_hook = hook;
        }
        self
    }

    pub(crate) fn with_governor(mut self, governor: Option<Governor>) -> Extras {
        if governor.is_some() {
            self.given().governor = governor;
        }
        self
    }

    pub(crate) fn with_discarded(mut self, unsolicited: Unsolicited) -> Extras {
        match unsolicited {
            Unsolicited::Deliver => {}
            Unsolicited::Discard => self.given().discarded = AtomicU64::new(0),
        }
        self
    }

    pub(crate) fn with_streams(mut self, streaming: bool) -> Extras {
        if streaming {
            self.given().streams = Some(Arc::default());
        }
        self
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn with_inline_reads(mut self, allowed: bool) -> Extras {
        if allowed {
            self.given().inline_reads = Some(Box::default());
        }
        self
    }

    #[cfg(feature = "tls")]
    pub(crate) fn with_tls(mut self, tls: Option<Box<TlsSide>>) -> Extras {
        if tls.is_some() {
            self.given().tls = tls;
        }
        self
    }

    fn given(&mut self) -> &mut Given {
        self.0.get_or_insert_default()
    }
}

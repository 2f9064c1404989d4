//! What an attempt is told before it leaves.

use super::{Dialing, Driver};
use crate::greeting::{CredentialRequest, Login};
use crate::io::dial::{Order, dial};
use keepline_proto::{Cause, Ending, EndpointId, Epoch, Time};

impl Driver {
    pub(super) fn dial(&self, epoch: Epoch, endpoint: EndpointId, deadline: Time, mss: Option<u16>) -> Dialing {
        let Some(endpoint) = self.shared.target(endpoint) else {
            // The machine only names what is in its list, and that is this one.
            return Box::pin(std::future::ready(Err(Ending::new(Cause::Requested, None))));
        };
        let login = self.shared.extras.login();
        let request = |refusals: u32| CredentialRequest { epoch, endpoint: endpoint.clone(), refusals };
        let asked = login.and_then(|login| login.begin(request(self.session.refusals())));
        let order = Order {
            epoch,
            proxy_login: login.and_then(|login| login.of_proxy(request(self.session.proxy_refusals()))),
            names: self.shared.names(),
            config: self.shared.config.clone(),
            socket_hook: self.shared.extras.socket_hook().cloned(),
            deadline,
            per_address: self.session.connect_per_address(),
            mss,
            #[cfg(feature = "tls")]
            tls_least: self.session.tls_least(),
            #[cfg(feature = "tls")]
            tls: self.shared.extras.tls().filter(|_| endpoint.is_tls()).map(|tls| tls.connector.clone()),
            endpoint,
        };
        match asked {
            None => Box::pin(dial(order)),
            Some(asked) => Box::pin(Login::beside(asked, dial(order))),
        }
    }
}

//! Clients that ask hooks of the other language.

use super::{BridgeClient, declare};
use crate::config::ClientConfig;
use crate::endpoints::EndpointRecord;
use crate::error::BridgeError;
use crate::guard::caught;
use crate::hooks::{self, Asked, Hooks};
use crate::runtime;
use std::sync::Arc;

impl BridgeClient {
    /// As [`BridgeClient::start`], with the hooks that `config` declares. They are dropped when the client has ended.
    ///
    /// # Errors
    /// As [`BridgeClient::start`]; `invalid_config` also for a script and a hook at once.
    pub fn start_with(
        endpoints: &[EndpointRecord],
        config: ClientConfig,
        hooks: Arc<dyn Hooks>,
    ) -> Result<BridgeClient, BridgeError> {
        caught(|| {
            let runtime = runtime::handle()?;
            let tls = config.tls.clone();
            let asked = Asked { greeting: config.greeting_hook, credentials: config.credentials_hook };
            let builder = hooks::install(declare(endpoints, config, &runtime)?, asked, hooks, &runtime);
            Ok(BridgeClient::new(builder.start()?, runtime, tls))
        })
    }
}

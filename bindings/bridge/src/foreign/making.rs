//! Making clients, and what can be asked without one.

use super::cancel::{CancelToken, finish};
use super::client::ForeignClient;
use super::error::ForeignError;
use super::hooks::{Asked, ForeignHooks, HooksThere};
use crate::client::BridgeClient;
use crate::config::{ClientConfig, ResolvedConfig, default_config, resolve};
use crate::doctor::{DiagnosisRecord, ExaminationRecord, examine};
use crate::endpoints::EndpointRecord;
use crate::runtime;
use std::sync::Arc;
use std::time::Duration;

/// Makes a client and waits for its first connection, at most `connect_within_ms`. Given up, the client is aborted.
#[uniffi::export]
pub async fn connect(
    endpoints: Vec<EndpointRecord>,
    config: ClientConfig,
    cancel: Option<Arc<CancelToken>>,
) -> Result<Arc<ForeignClient>, ForeignError> {
    Ok(ForeignClient::new(finish(BridgeClient::connect(&endpoints, config), cancel).await?))
}

/// Makes a client that dials for ever, and returns at once.
#[uniffi::export]
pub fn start(endpoints: Vec<EndpointRecord>, config: ClientConfig) -> Result<Arc<ForeignClient>, ForeignError> {
    Ok(ForeignClient::new(BridgeClient::start(&endpoints, config)?))
}

/// As `start`, with hooks of the other language. They are let go of when the client has ended.
#[uniffi::export]
pub fn start_with(
    endpoints: Vec<EndpointRecord>,
    config: ClientConfig,
    hooks: Arc<dyn ForeignHooks>,
    there: HooksThere,
) -> Result<Arc<ForeignClient>, ForeignError> {
    Ok(ForeignClient::new(BridgeClient::start_with(&endpoints, config, Asked::new(hooks, there))?))
}

/// Decides every value of a declaration and checks it, without making a client.
#[uniffi::export]
pub fn resolve_config(config: ClientConfig) -> Result<ResolvedConfig, ForeignError> {
    Ok(resolve(config)?)
}

/// Every value of a profile.
#[uniffi::export]
pub fn default_config_of(profile: String) -> Result<ClientConfig, ForeignError> {
    Ok(default_config(&profile)?)
}

/// Examines why a client does not connect, stage by stage.
#[uniffi::export]
pub async fn doctor(
    address: String,
    config: ClientConfig,
    asked: ExaminationRecord,
    cancel: Option<Arc<CancelToken>>,
) -> Result<DiagnosisRecord, ForeignError> {
    finish(examine(&address, config, &asked), cancel).await
}

/// Ends the runtime and every client on it, waiting at most `limit_ms` for its threads. Nothing can be made after it.
#[uniffi::export]
pub fn shut_down(limit_ms: u64) {
    runtime::shutdown(Duration::from_millis(limit_ms));
}

/// The release of this build.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

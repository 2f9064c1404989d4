//! Why a client does not connect, examined for another language. Times of stages are microseconds: most take less than a millisecond.

use crate::config::{ClientConfig, TlsRecord};
use crate::error::BridgeError;
use crate::guard::caught;
use crate::operation::Operation;
use crate::runtime;
use keepline::Client;
use keepline::doctor::{Diagnosis, Doctor, Fact, Stage};
use serde::Serialize;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

/// What is asked of the doctor beside the client itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct ExaminationRecord {
    /// How long each stage waits for somebody else; decided by the core if nothing is said.
    pub patience_ms: Option<u64>,
    /// Whether full-size packets arrive: the declared heartbeat is sent many times in one go.
    pub path_mtu: bool,
    /// Whether a connection survives these silences.
    pub idle_ms: Vec<u64>,
}

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct DiagnosisRecord {
    /// The endpoint as it was given.
    pub endpoint: String,
    /// Whether the way is open to its end. There may be warnings.
    pub healthy: bool,
    /// The stage where the way ends: a name of the contract's `stages`.
    pub failed: Option<String>,
    /// Why it ends there.
    pub cause: Option<String>,
    /// Where it ends, why, and what to look at next, in words.
    pub verdict: String,
    /// The stages that were reached, in their order. The first that failed is the last.
    pub stages: Vec<StageRecord>,
}

/// One stage that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct StageRecord {
    /// Which one: a name of the contract's `stages`.
    pub name: String,
    /// What it came to: a name of the contract's `findings`.
    pub finding: String,
    /// Why, as a client would tell it.
    pub cause: Option<String>,
    /// How long it took.
    pub took_us: u64,
    /// What was seen.
    pub facts: Vec<FactRecord>,
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct FactRecord {
    /// What it is about.
    pub name: String,
    /// What was seen; escaped and cut to 256 characters where the peer chose the words.
    pub value: String,
}

/// Examines the way of a client of `address` that would be declared by `config`. Its connections are its own, and are ended.
///
/// # Errors
/// `invalid_config` names what breaks a rule, in the declaration or in what is asked; `closed` after the runtime was shut
/// down; `forked`. A way that ends is no error: it is what the diagnosis tells.
///
/// # Cancel safety
/// Dropping the operation ends the examination and its connections.
pub fn examine(address: &str, config: ClientConfig, asked: &ExaminationRecord) -> Operation<DiagnosisRecord> {
    let made = caught(|| {
        let runtime = runtime::handle()?;
        let doctor = asked.doctor_of(address, config)?;
        doctor.validate()?;
        Ok((runtime, doctor))
    });
    match made {
        Ok((runtime, doctor)) => Operation::new(runtime.clone(), async move {
            let mut examination = Examination::start(&runtime, doctor);
            let diagnosis = (&mut examination.0).await.map_err(ended)?;
            Ok(DiagnosisRecord::from(&diagnosis))
        }),
        Err(error) => Operation::failed(error),
    }
}

impl ExaminationRecord {
    fn doctor_of(&self, address: &str, config: ClientConfig) -> Result<Doctor, BridgeError> {
        let tls = config.tls.as_ref().map(TlsRecord::declared);
        let builder = Client::builder(address).config(config.into_config()?);
        let mut doctor = Doctor::of(match tls {
            Some(tls) => builder.tls(tls),
            None => builder,
        });
        if let Some(limit) = self.patience_ms {
            doctor = doctor.patience(Duration::from_millis(limit));
        }
        if self.path_mtu {
            doctor = doctor.path_mtu();
        }
        Ok(self.idle_ms.iter().fold(doctor, |doctor, silence| doctor.idle(Duration::from_millis(*silence))))
    }
}

impl From<&Diagnosis> for DiagnosisRecord {
    fn from(diagnosis: &Diagnosis) -> DiagnosisRecord {
        let failed = diagnosis.failed();
        DiagnosisRecord {
            endpoint: diagnosis.endpoint.clone(),
            healthy: diagnosis.is_healthy(),
            failed: failed.map(|stage| stage.name.as_str().to_owned()),
            cause: failed.and_then(|stage| stage.cause).map(|cause| cause.as_str().to_owned()),
            verdict: diagnosis.words(),
            stages: diagnosis.stages.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Stage> for StageRecord {
    fn from(stage: &Stage) -> StageRecord {
        StageRecord {
            name: stage.name.as_str().to_owned(),
            finding: stage.finding.as_str().to_owned(),
            cause: stage.cause.map(|cause| cause.as_str().to_owned()),
            took_us: u64::try_from(stage.took.as_micros()).unwrap_or(u64::MAX),
            facts: stage.facts.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Fact> for FactRecord {
    fn from(fact: &Fact) -> FactRecord {
        FactRecord { name: fact.name.to_owned(), value: fact.value.clone() }
    }
}

/// An examination under way, on a thread of the runtime: whoever waits for it only waits for the end of its task.
struct Examination(JoinHandle<Diagnosis>);

impl Examination {
    fn start(runtime: &Handle, doctor: Doctor) -> Examination {
        Examination(runtime.spawn(async move { doctor.examine().await }))
    }
}

impl Drop for Examination {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Nobody aborts an examination that is still waited for: either it panicked, or its runtime ended.
fn ended(error: JoinError) -> BridgeError {
    match error.try_into_panic() {
        Ok(panic) => BridgeError::panicked(panic.as_ref()),
        Err(_cancelled) => BridgeError::shut_down(),
    }
}

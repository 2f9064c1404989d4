//! Reports of the flight recorder as flat records. Times of entries count from the start of the attempt.

use crate::config::millis;
use keepline::recorder::Entry;
use keepline::{KernelFigures, Report};
use serde::Serialize;
use std::sync::Arc;

/// A report that is made a record only when somebody asks: a send that is refused again and again stays cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct BridgeReport(Arc<Report>);

impl BridgeReport {
    pub(crate) fn new(report: Arc<Report>) -> BridgeReport {
        BridgeReport(report)
    }

    /// The report as a flat record.
    pub fn record(&self) -> ReportRecord {
        self.0.as_ref().into()
    }
}

/// What the flight recorder tells of one connection or attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct ReportRecord {
    /// The connection's number.
    pub epoch: u64,
    /// When it was over, on the clock of the system that counts suspend (`CLOCK_BOOTTIME`).
    pub at_ms: u64,
    /// How long it took from the start of the attempt to the end.
    pub lasted_ms: u64,
    /// Why.
    pub cause: String,
    /// Which evidence told.
    pub detector: Option<String>,
    /// The operating system's error number, if there was one.
    pub errno: Option<i32>,
    /// The other side's own number for it, if it told one: a SOCKS reply or the status of an HTTP proxy.
    pub code: Option<u16>,
    /// How long it had been connected.
    pub up_for_ms: Option<u64>,
    /// When the next attempt starts, from the end on.
    pub retry_in_ms: Option<u64>,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// What happened, from the start of the attempt to its end: at most 256 entries, the last ones.
    pub entries: Vec<ReportEntryRecord>,
    /// Entries that were given up for later ones.
    pub overwritten: u32,
    /// What the kernel knew when the connection ended.
    pub figures: Option<KernelFiguresRecord>,
    /// All of it as a timeline for people.
    pub text: String,
}

/// One turn, or a run of ordinary ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct ReportEntryRecord {
    /// When it happened, from the start of the attempt on; of a run, when the first one began.
    pub at_ms: u64,
    /// When the last one of the run ended.
    pub until_ms: u64,
    /// How often in a row.
    pub count: u32,
    /// What happened: a name of the contract's `transitions`.
    pub name: String,
    /// The name of what it carries: the suspicion, the wish, the cause.
    pub detail: Option<String>,
    /// The same in words.
    pub text: String,
}

/// The kernel's figures of one connection at one moment; nothing where the system does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct KernelFiguresRecord {
    /// Segments sent and not acknowledged.
    pub unacked_segments: Option<u32>,
    /// Retransmissions of the oldest segment without an answer.
    pub retransmits: Option<u32>,
    /// Keepalive or window probes without an answer.
    pub probes: Option<u32>,
    /// How often the retransmission timer has doubled.
    pub backoff: Option<u32>,
    /// The window the peer offers, in bytes.
    pub send_window: Option<u32>,
    /// Bytes not acknowledged or not yet sent.
    pub send_queue: Option<u32>,
    /// Bytes never transmitted.
    pub not_sent: Option<u32>,
    /// Time since the last acknowledgement.
    pub last_ack_received_ms: Option<u64>,
    /// Time since the last data.
    pub last_data_received_ms: Option<u64>,
    /// The smoothed round trip.
    pub rtt_us: Option<u64>,
    /// Bytes acknowledged by the peer's kernel.
    pub bytes_acked: Option<u64>,
    /// Segments that the peer's kernel has.
    pub delivered_segments: Option<u32>,
    /// The size of a full segment, in bytes.
    pub segment_size: Option<u32>,
}

impl From<&Report> for ReportRecord {
    fn from(report: &Report) -> ReportRecord {
        ReportRecord {
            epoch: report.epoch.0,
            at_ms: report.ended.as_nanos() / 1_000_000,
            lasted_ms: millis(report.after_start(report.ended)),
            cause: report.ending.cause.to_string(),
            detector: report.ending.detector.map(|detector| detector.to_string()),
            errno: report.ending.errno,
            code: report.ending.code,
            up_for_ms: report.up_for.map(millis),
            retry_in_ms: report.retry_in.map(millis),
            failures: report.failures,
            entries: report.entries.iter().map(|entry| ReportEntryRecord::of(report, entry)).collect(),
            overwritten: report.overwritten,
            figures: report.figures.map(Into::into),
            text: report.to_string(),
        }
    }
}

impl ReportEntryRecord {
    fn of(report: &Report, entry: &Entry) -> ReportEntryRecord {
        ReportEntryRecord {
            at_ms: millis(report.after_start(entry.at)),
            until_ms: millis(report.after_start(entry.until())),
            count: entry.count,
            name: entry.what.name().to_owned(),
            detail: entry.what.detail().map(str::to_owned),
            text: report.sentence(entry),
        }
    }
}

impl From<KernelFigures> for KernelFiguresRecord {
    fn from(figures: KernelFigures) -> KernelFiguresRecord {
        KernelFiguresRecord {
            unacked_segments: figures.unacked_segments,
            retransmits: figures.retransmits,
            probes: figures.probes,
            backoff: figures.backoff,
            send_window: figures.send_window,
            send_queue: figures.send_queue,
            not_sent: figures.not_sent,
            last_ack_received_ms: figures.last_ack_received.map(millis),
            last_data_received_ms: figures.last_data_received.map(millis),
            rtt_us: figures.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            bytes_acked: figures.bytes_acked,
            delivered_segments: figures.delivered_segments,
            segment_size: figures.segment_size,
        }
    }
}

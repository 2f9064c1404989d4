//! The oracle of the trials: whether what was said of messages can be true, given what reached the server's wire.
//!
//! It holds `acked ≤ received by the peer's kernel ≤ written − not sent` message by message. What the kernel has received lies
//! between what it has acknowledged and what has reached its wire; each rule uses the side that leaves no excuse.

use keepline::Outcome;
use keepline_testkit::lab::Witnessed;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a trial sent, in order, and what it was told.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: u8,
    /// The place in here is the number of the message.
    pub(super) sent: Vec<Sent>,
}

/// A message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// Of its line, without the end of it.
    pub(super) length: usize,
    pub(super) fate: Fate,
}

/// What was said of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was not accepted.
    Refused,
    /// It was accepted, and nothing was ever said.
    Untold,
    /// Its outcome.
    Told(Outcome),
}

/// A message, or the first part of one, that reached the server.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    connection: usize,
    /// So much of it.
    #[expect(dead_code, reason = "shown when it is a lie")]
    bytes: usize,
    is_whole: bool,
    is_acked: bool,
    /// The farewell followed it and came back: the client's kernel knows as much as the server's.
    ended_well: bool,
}

/// How much was judged.
#[derive(Debug, Default)]
pub(super) struct Tally {
    refused: usize,
    acked: usize,
    not_sent: usize,
    unknown: usize,
    unknown_that_arrived: usize,
    /// Arrived on a connection that came after the first one.
    later: usize,
}

/// Judges all trials of a lab.
pub(super) fn judge(accounts: &[Account], mut wires: Vec<Witnessed>) -> Result<Tally, Vec<String>> {
    wires.sort_by_key(|wire| wire.began);
    let mut lies = Vec::new();
    let arrivals = arrivals(accounts, &wires, &mut lies);
    let mut tally = Tally::default();
    for account in accounts {
        let first = arrivals.range((account.name, 0)..=(account.name, usize::MAX)).next();
        let first = first.map(|(_, arrived)| arrived[0].connection);
        for (number, sent) in account.sent.iter().enumerate() {
            let arrived = arrivals.get(&(account.name, number)).map_or(&[][..], Vec::as_slice);
            tally.later += usize::from(arrived.iter().any(|arrival| Some(arrival.connection) > first));
            if let Some(rule) = tally.count(sent.fate, arrived) {
                lies.push(format!("trial {}: message {number}, {sent:?}, {rule}: {arrived:?}", account.name));
            }
        }
    }
    if lies.is_empty() { Ok(tally) } else { Err(lies) }
}

/// Where every message arrived, whole or in part; what is not a message of these trials, or in the wrong place, is a lie.
fn arrivals(accounts: &[Account], wires: &[Witnessed], lies: &mut Vec<String>) -> BTreeMap<(u8, usize), Vec<Arrival>> {
    let last = last_connections(wires);
    let mut arrivals: BTreeMap<(u8, usize), Vec<Arrival>> = BTreeMap::new();
    let mut latest: BTreeMap<u8, usize> = BTreeMap::new();
    for (connection, wire) in wires.iter().enumerate() {
        let (mut end, mut owner) = (0, None);
        for piece in wire.stream.split_inclusive(|byte| *byte == b'\n') {
            end += piece.len();
            let (name, number) = match read(accounts, piece) {
                Ok(Some(message)) => message,
                Ok(None) => continue,
                Err(what) => {
                    lies.push(format!("connection {connection}, before byte {end}: {what}"));
                    continue;
                }
            };
            if *owner.get_or_insert(name) != name {
                lies.push(format!("connection {connection} carries messages of trials {owner:?} and {name}"));
            }
            if let Some(before) = latest.insert(name, number).filter(|before| *before > number) {
                lies.push(format!("trial {name}: message {number} arrived after {before}"));
            }
            let is_whole = piece.ends_with(b"\n");
            let is_acked = is_whole && end as u64 <= wire.acked;
            let ended_well = last.get(&name) == Some(&connection);
            let arrival = Arrival { connection, bytes: piece.len(), is_whole, is_acked, ended_well };
            arrivals.entry((name, number)).or_default().push(arrival);
        }
    }
    arrivals
}

/// The connection over which each trial said farewell.
fn last_connections(wires: &[Witnessed]) -> BTreeMap<u8, usize> {
    let mut last = BTreeMap::new();
    for (connection, wire) in wires.iter().enumerate() {
        for piece in wire.stream.split(|byte| *byte == b'\n').filter_map(|piece| piece.strip_prefix(FAREWELL)) {
            last.extend(piece.first().map(|name| (name.wrapping_sub(b'a'), connection)));
        }
    }
    last
}

impl Tally {
    /// Counts a message; says the rule that what was said of it breaks.
    fn count(&mut self, fate: Fate, arrived: &[Arrival]) -> Option<&'static str> {
        let broken = match fate {
            Fate::Untold => Some("has no outcome"),
            Fate::Refused => {
                self.refused += 1;
                (!arrived.is_empty()).then_some("was refused, and arrived")
            }
            Fate::Told(Outcome::Acked) => {
                self.acked += 1;
                let has_it = arrived.iter().any(|arrival| arrival.is_whole && arrival.is_acked);
                (!has_it).then_some("was not acknowledged by the server's kernel")
            }
            Fate::Told(Outcome::NotSent | Outcome::Expired) => {
                self.not_sent += 1;
                (!arrived.is_empty()).then_some("was sent")
            }
            Fate::Told(Outcome::Unknown) => {
                self.unknown += 1;
                self.unknown_that_arrived += usize::from(arrived.iter().any(|arrival| arrival.is_whole));
                let is_known = arrived.iter().any(|arrival| arrival.is_acked && arrival.ended_well);
                is_known.then_some("was acknowledged on a connection that ended well")
            }
            Fate::Told(_) => Some("has an outcome that nobody knows"),
        };
        if arrived.len() > 1 { Some("was sent on two connections") } else { broken }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { refused, acked, not_sent, unknown, unknown_that_arrived, later } = self;
        write!(
            f,
            "{acked} acked, {not_sent} not sent, {unknown} unknown ({unknown_that_arrived} arrived), {refused} refused; \
             {later} on a later connection"
        )
    }
}

/// The line that comes back: everything before it has gone through.
pub(super) fn farewell(name: u8) -> String {
    format!("farewell {}", char::from(b'a' + name))
}

const FAREWELL: &[u8] = b"farewell ";
const PING: &[u8] = b"PING";

/// The line of a message: who sent it and which it is, then bytes that are its own.
pub(super) fn line(name: u8, number: usize, length: usize) -> Vec<u8> {
    let mut line = format!("#{}{number:04}", char::from(b'a' + name)).into_bytes();
    let mut luck = fastrand::Rng::with_seed((u64::from(name) << 32) | number as u64);
    let filler: Vec<u8> = (0..FILLER).map(|_| luck.u8(b'0'..=b'z')).collect();
    while line.len() < length {
        let missing = length - line.len();
        line.extend_from_slice(&filler[..missing.min(FILLER)]);
    }
    line
}

/// What a message repeats. A prime: a segment of the network does not fall on the same bytes twice.
const FILLER: usize = 499;
/// `#`, the trial, four digits.
const HEADER: usize = 6;

/// Which message this is, whole or its first part; nothing if it is not one, or too short to tell.
fn read(accounts: &[Account], piece: &[u8]) -> Result<Option<(u8, usize)>, String> {
    let is_whole = piece.ends_with(b"\n");
    let content = piece.strip_suffix(b"\n").unwrap_or(piece);
    let is_cut_from = |other: &[u8]| !is_whole && other.starts_with(content);
    if content == PING || content.starts_with(FAREWELL) || is_cut_from(PING) || is_cut_from(FAREWELL) {
        return Ok(None);
    }
    let shown = || String::from_utf8_lossy(&content[..content.len().min(40)]).into_owned();
    if content.len() < HEADER && !is_whole && content.starts_with(b"#") {
        return Ok(None);
    }
    let header = content.strip_prefix(b"#").and_then(|rest| {
        let name = rest.first()?.checked_sub(b'a')?;
        let number: usize = std::str::from_utf8(rest.get(1..5)?).ok()?.parse().ok()?;
        let account = accounts.iter().find(|account| account.name == name)?;
        Some((name, number, account.sent.get(number)?.length))
    });
    let Some((name, number, length)) = header else { return Err(format!("no message begins so: {}", shown())) };
    let whole = line(name, number, length);
    let same = if is_whole { content == whole } else { whole.starts_with(content) };
    if same { Ok(Some((name, number))) } else { Err(format!("not the bytes of message {number}: {}", shown())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_passes() {
        let accounts = [told(&[Outcome::Acked, Outcome::Acked, Outcome::Unknown, Outcome::Acked, Outcome::NotSent])];
        // The third one is cut; the fourth was kept, and goes out on the next connection.
        let wires = vec![wire(1, &[whole(0), whole(1), cut(2)], None), wire(2, &[whole(3)], None)];
        let tally = judge(&accounts, wires).unwrap();
        assert_eq!((tally.acked, tally.not_sent, tally.unknown, tally.later), (3, 1, 1, 1));
    }

    #[test]
    fn message_that_did_not_arrive_cannot_be_acked() {
        assert_lie(&[Outcome::Acked, Outcome::Acked], vec![wire(1, &[whole(0)], None)], "not acknowledged");
    }

    #[test]
    fn message_that_arrived_in_part_cannot_be_acked() {
        assert_lie(&[Outcome::Acked], vec![wire(1, &[cut(0)], None)], "not acknowledged");
    }

    #[test]
    fn message_that_arrived_and_was_not_acknowledged_cannot_be_acked() {
        let all_but_its_end = whole(0).len() as u64 - 1;
        assert_lie(&[Outcome::Acked], vec![wire(1, &[whole(0)], Some(all_but_its_end))], "not acknowledged");
    }

    #[test]
    fn message_of_which_a_part_arrived_cannot_be_not_sent() {
        assert_lie(&[Outcome::NotSent], vec![wire(1, &[cut(0)], None)], "was sent");
    }

    #[test]
    fn message_that_the_old_peer_has_cannot_be_replayed() {
        let wires = vec![wire(1, &[whole(0)], None), wire(2, &[whole(0)], None)];
        assert_lie(&[Outcome::Acked], wires, "two connections");
    }

    #[test]
    fn message_of_which_the_old_peer_has_a_part_cannot_be_replayed() {
        let wires = vec![wire(1, &[cut(0)], None), wire(2, &[whole(0)], None)];
        assert_lie(&[Outcome::Acked], wires, "two connections");
    }

    #[test]
    fn message_that_went_through_before_the_farewell_cannot_be_unknown() {
        let farewell = [farewell(0).as_bytes(), b"\n"].concat();
        assert_lie(&[Outcome::Unknown], vec![wire(1, &[whole(0), farewell], None)], "ended well");
    }

    #[test]
    fn replay_out_of_order_is_found() {
        let wires = vec![wire(1, &[], None), wire(2, &[whole(1), whole(0)], None)];
        assert_lie(&[Outcome::Unknown, Outcome::Unknown], wires, "arrived after");
    }

    #[test]
    fn message_that_continues_on_another_connection_is_found() {
        let rest = whole(0).split_off(10);
        assert_lie(&[Outcome::Unknown], vec![wire(1, &[cut(0)], None), wire(2, &[rest], None)], "no message begins so");
    }

    #[test]
    fn message_that_continues_in_another_one_is_found() {
        let mut spliced = cut(0);
        spliced.extend(whole(1));
        assert_lie(&[Outcome::Unknown, Outcome::Unknown], vec![wire(1, &[spliced], None)], "not the bytes");
    }

    #[test]
    fn message_without_an_outcome_is_found() {
        let accounts = [Account { name: 0, sent: vec![Sent { length: LENGTH, fate: Fate::Untold }] }];
        assert_lies(&accounts, vec![], "no outcome");
    }

    #[test]
    fn refused_message_that_arrives_is_found() {
        let accounts = [Account { name: 0, sent: vec![Sent { length: LENGTH, fate: Fate::Refused }] }];
        assert_lies(&accounts, vec![wire(1, &[whole(0)], None)], "was refused");
    }

    #[test]
    fn messages_of_two_clients_on_one_connection_are_found() {
        let mut accounts = [told(&[Outcome::Unknown]), told(&[Outcome::Unknown])];
        accounts[1].name = 1;
        let mut other = line(1, 0, LENGTH);
        other.push(b'\n');
        assert_lies(&accounts, vec![wire(1, &[whole(0), other], None)], "carries messages of trials");
    }

    const LENGTH: usize = 20;

    fn told(outcomes: &[Outcome]) -> Account {
        let sent = outcomes.iter().map(|outcome| Sent { length: LENGTH, fate: Fate::Told(*outcome) });
        Account { name: 0, sent: sent.collect() }
    }

    fn whole(number: usize) -> Vec<u8> {
        let mut line = line(0, number, LENGTH);
        line.push(b'\n');
        line
    }

    fn cut(number: usize) -> Vec<u8> {
        line(0, number, 10)
    }

    fn wire(order: u64, pieces: &[Vec<u8>], acked: Option<u64>) -> Witnessed {
        let stream = [b"PING\n".to_vec(), pieces.concat()].concat();
        let acked = acked.map_or(stream.len() as u64, |acked| 5 + acked);
        Witnessed { began: Duration::from_secs(order), remote_port: 1, local_port: 2, acked, stream }
    }

    fn assert_lie(outcomes: &[Outcome], wires: Vec<Witnessed>, lie: &str) {
        assert_lies(&[told(outcomes)], wires, lie);
    }

    fn assert_lies(accounts: &[Account], wires: Vec<Witnessed>, lie: &str) {
        let lies = judge(accounts, wires).expect_err(lie);
        assert!(lies.iter().any(|found| found.contains(lie)), "{lies:#?}");
    }
}

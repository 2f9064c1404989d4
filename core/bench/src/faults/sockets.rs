//! Which connections to the server the client's kernel holds: the same question for every library.

use crate::measure::Failure;
use std::collections::BTreeSet;

/// What `/proc/net/tcp` calls an established connection.
const ESTABLISHED: &str = "01";

/// The local ports of the connections to `port` that live, in the network of the calling thread.
pub(super) fn living(port: u16) -> Result<BTreeSet<u16>, Failure> {
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp")?;
    Ok(table.lines().skip(1).filter_map(|line| to_server(line, port)).collect())
}

/// The local port, if the line is about a living connection to `port`.
fn to_server(line: &str, port: u16) -> Option<u16> {
    let mut cells = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (cells.next()?, cells.next()?, cells.next()?);
    let port_of = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
    (state == ESTABLISHED && port_of(remote)? == port).then_some(port_of(local)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_living_connections_to_the_port_are_counted() {
        let line = |state: &str| {
            format!(
                "   0: 0201A8C6:D2F0 0A02A8C6:18EB {state} 00000000:00000000 02:00000400 00000000     0  0 1 2 0 20 4 30 10 -1"
            )
        };
        assert_eq!(to_server(&line("01"), 6379), Some(0xD2F0));
        assert_eq!(to_server(&line("04"), 6379), None, "FIN-WAIT-1: given up");
        assert_eq!(to_server(&line("01"), 4222), None);
        assert_eq!(to_server("", 6379), None);
    }
}

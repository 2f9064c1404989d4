//! What the Linux kernel says by itself about links, addresses and routes: whether there is a reason to look at the network.
//!
//! The messages are not believed in detail. They arrive in bursts, some are lost, and the order of two kinds is nobody's
//! promise: whoever is told that something changed looks for himself.

/// The length of a message's header (`struct nlmsghdr`): length, type, flags, number, port.
const HEADER: usize = 16;

/// The length of what follows in a message about a link (`struct ifinfomsg`).
const LINK_HEADER: usize = 16;

/// The length of what follows in a message about a route (`struct rtmsg`); its flags are the last four bytes.
const ROUTE_HEADER: usize = 12;

/// Messages and their attributes begin at multiples of four.
const ALIGNMENT: usize = 4;

const NOTHING: u16 = 1;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const DELETED_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
const DELETED_ROUTE: u16 = 25;

/// `IFLA_WIRELESS`: a message about a link that only tells of a radio's scan.
const WIRELESS: u16 = 11;

/// `RTM_F_CLONED`: a route that the kernel made for one destination, such as the path MTU that it has learned.
const CLONED: u32 = 0x200;

/// Says whether a datagram of the kernel (`NETLINK_ROUTE`) tells of anything that can change the way to a peer.
///
/// What a radio finds while it scans and what the kernel learns about single destinations cannot; what is cut, garbled or
/// unknown may, so it counts.
///
/// ```
/// use keepline_proto::netlink::tells_of_change;
///
/// assert!(!tells_of_change(&[]));
/// assert!(tells_of_change(b"not a message"));
/// ```
pub fn tells_of_change(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while !rest.is_empty() {
        let Some((message, after)) = first_message(rest) else { return true };
        if is_change(message) {
            return true;
        }
        rest = after;
    }
    false
}

/// The first message, whole, and what follows it; `None` if it is cut or its length is impossible.
fn first_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    if length < HEADER {
        return None;
    }
    let message = bytes.get(..length)?;
    // The last one need not be filled up.
    let after = bytes.get(aligned(length)..).unwrap_or_default();
    Some((message, after))
}

fn is_change(message: &[u8]) -> bool {
    let body = message.get(HEADER..).unwrap_or_default();
    match u16_at(message, 4) {
        Some(NOTHING | DONE) => false,
        Some(NEW_LINK) => !is_scan(body),
        Some(NEW_ROUTE | DELETED_ROUTE) => !is_learned(body),
        Some(DELETED_LINK | NEW_ADDRESS | DELETED_ADDRESS) => true,
        // An error, an overrun, or something that a later kernel tells.
        Some(_) | None => true,
    }
}

fn is_scan(link: &[u8]) -> bool {
    let mut attributes = link.get(LINK_HEADER..).unwrap_or_default();
    while let Some(length) = u16_at(attributes, 0).map(usize::from).filter(|length| *length >= ALIGNMENT) {
        if u16_at(attributes, 2) == Some(WIRELESS) {
            return true;
        }
        attributes = attributes.get(aligned(length)..).unwrap_or_default();
    }
    false
}

fn is_learned(route: &[u8]) -> bool {
    u32_at(route, ROUTE_HEADER - 4).is_some_and(|flags| flags & CLONED != 0)
}

const fn aligned(length: usize) -> usize {
    length.saturating_add(ALIGNMENT - 1) & !(ALIGNMENT - 1)
}

/// Netlink speaks the byte order of the machine.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

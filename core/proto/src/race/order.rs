//! In which order addresses are dialled: as the resolver preferred them, the families taking turns.

use std::net::SocketAddr;

/// A name that resolves to more is cut: nobody waits for the 33rd address.
pub const MAX_ADDRESSES: usize = 32;

/// Lets the families take turns (RFC 8305, section 4), beginning with the family of the first address, so that one dead
/// family costs one address and not all of its own. Duplicates go; at most [`MAX_ADDRESSES`] stay, of both families if
/// there are both.
pub fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let mut families: [Vec<SocketAddr>; 2] = Default::default();
    for address in addresses {
        let family = &mut families[usize::from(address.is_ipv4() != first.is_ipv4())];
        if family.len() < MAX_ADDRESSES && !family.contains(address) {
            family.push(*address);
        }
    }
    let [preferred, other] = &families;
    let turns = (0..preferred.len().max(other.len())).flat_map(|turn| [preferred.get(turn), other.get(turn)]);
    turns.flatten().copied().take(MAX_ADDRESSES).collect()
}

//! Messages of the Linux kernel about its network: which are a reason to look, and that none is a reason to fall over.

use keepline_proto::netlink::tells_of_change;
use proptest::prelude::*;

const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const DELETED_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
const DELETED_ROUTE: u16 = 25;
const NEW_NEIGHBOUR: u16 = 28;
const NAME: u16 = 3;
const WIRELESS: u16 = 11;
const CLONED: u32 = 0x200;

#[test]
fn links_addresses_and_routes_that_come_and_go_are_changes() {
    for kind in [NEW_LINK, DELETED_LINK] {
        assert!(tells_of_change(&message(kind, &link(&[(NAME, b"eth0\0")]))), "{kind}");
    }
    for kind in [NEW_ADDRESS, DELETED_ADDRESS] {
        assert!(tells_of_change(&message(kind, &[0; 8])), "{kind}");
    }
    for kind in [NEW_ROUTE, DELETED_ROUTE] {
        assert!(tells_of_change(&message(kind, &route(0))), "{kind}");
    }
}

#[test]
fn scan_of_a_radio_is_no_change() {
    let scan = link(&[(NAME, b"wlan0\0"), (WIRELESS, &[0; 21])]);
    assert!(!tells_of_change(&message(NEW_LINK, &scan)));
    // Of a link that goes, the radio says nothing that matters.
    assert!(tells_of_change(&message(DELETED_LINK, &scan)));
}

#[test]
fn route_that_the_kernel_learned_for_one_destination_is_no_change() {
    assert!(!tells_of_change(&message(NEW_ROUTE, &route(CLONED))));
    assert!(!tells_of_change(&message(DELETED_ROUTE, &route(CLONED | 1))));
}

#[test]
fn one_change_among_several_messages_is_enough() {
    let nothing = message(NEW_ROUTE, &route(CLONED));
    let change = message(NEW_ADDRESS, &[0; 8]);
    assert!(!tells_of_change(&[&nothing[..], &nothing, &nothing].concat()));
    assert!(tells_of_change(&[&nothing[..], &change, &nothing].concat()));
    assert!(tells_of_change(&[&nothing[..], &nothing, &change].concat()));
}

#[test]
fn what_is_cut_garbled_or_unknown_counts_as_a_change() {
    let whole = message(NEW_ROUTE, &route(CLONED));
    for length in 1..whole.len() {
        assert!(tells_of_change(&whole[..length]), "cut after {length} bytes");
    }
    // A length below the header's own would be read for ever.
    assert!(tells_of_change(&[0; 64]));
    assert!(tells_of_change(&[0xff; 64]));
    assert!(tells_of_change(&message(NEW_NEIGHBOUR, &[0; 12])));
    // An error and an overrun: something was lost.
    assert!(tells_of_change(&message(2, &[0; 20])) && tells_of_change(&message(4, &[])));
}

#[test]
fn no_message_and_the_end_of_a_list_are_no_change() {
    assert!(!tells_of_change(&[]));
    assert!(!tells_of_change(&message(1, &[])) && !tells_of_change(&message(3, &[0; 4])));
}

#[test]
fn attribute_that_claims_no_length_ends_the_list() {
    let mut link = link(&[]);
    link.extend_from_slice(&[0; 8]);
    assert!(tells_of_change(&message(NEW_LINK, &link)));
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _either = tells_of_change(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_good_header_have_an_answer(
        kind in 14_u16..30,
        body in proptest::collection::vec(any::<u8>(), 0..256),
        after in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let _either = tells_of_change(&[message(kind, &body), after].concat());
    }
}

fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = 16 + body.len() as u32;
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn link(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 16];
    for (kind, value) in attributes {
        let length = 4 + value.len() as u16;
        bytes.extend([&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

fn route(flags: u32) -> Vec<u8> {
    [&[0; 8][..], &flags.to_ne_bytes()].concat()
}

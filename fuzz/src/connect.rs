//! What an HTTP proxy may answer.

use crate::cut::{choices, ways, within};
use keepline_proto::proxy::{HEADER_MAX, Handshake, Proxy, Refusal, Target};

/// One line that is as long as the whole header may be, in a buffer that has grown by doubling: the old and the new one.
const CAP: usize = 3 * HEADER_MAX;

pub(crate) fn run(data: &[u8]) {
    let ([sizes], answer) = choices::<1>(data);
    check("http://robot:s3cret@p:1", answer, sizes, (HEADER_MAX, CAP));
}

/// Plays an answer in every way. `caps` are the bytes that are kept of it, and the memory that it may take.
pub(crate) fn check(url: &str, answer: &[u8], sizes: u8, caps: (usize, usize)) {
    let proxy = Proxy::parse(url).expect("it is one");
    let [whole, one_by_one, turns] = ways(answer, sizes).map(|pieces| within(caps.1, || play(&proxy, &pieces, caps.0)));
    assert_eq!(whole, one_by_one);
    assert_eq!(whole, turns);
    if let Ok((taken, true)) = whole {
        // What follows is the endpoint's, and what was taken was needed.
        assert_eq!(play(&proxy, &[&answer[..taken]], caps.0), Ok((taken, true)));
        assert_eq!(play(&proxy, &[&answer[..taken - 1]], caps.0), Ok((taken - 1, false)));
    }
}

/// Bytes taken, and whether the way is open.
fn play(proxy: &Proxy, pieces: &[&[u8]], most: usize) -> Result<(usize, bool), Refusal> {
    let (mut handshake, _hello) = Handshake::start(proxy, &Target::Name("plc-7.example", 502)).expect("a good name");
    let mut taken = 0;
    for piece in pieces {
        let progress = handshake.receive(piece)?;
        assert!(progress.is_done || progress.consumed == piece.len());
        assert!(handshake.held() <= most);
        taken += progress.consumed;
        if progress.is_done {
            return Ok((taken, true));
        }
    }
    Ok((taken, false))
}

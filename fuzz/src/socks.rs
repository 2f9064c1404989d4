//! What a SOCKS proxy may answer.

use crate::connect::check;
use crate::cut::choices;

/// One answer of at most 262 bytes, the request and the login of at most 520, each in a buffer that has grown by doubling.
const CAP: usize = 4 * 1024;

pub(crate) fn run(data: &[u8]) {
    let ([login, sizes], answer) = choices::<2>(data);
    let url = if login & 1 == 0 { "socks5://p:1" } else { "socks5://robot:s3cret@p:1" };
    check(url, answer, sizes, (262, CAP));
}

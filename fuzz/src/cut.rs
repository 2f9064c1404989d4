//! The ways in which one input is cut, and what it may cost.

/// Splits off the first `COUNT` bytes, which choose; the rest is what a peer sends. Zeros stand for bytes that are missing.
pub(crate) fn choices<const COUNT: usize>(data: &[u8]) -> ([u8; COUNT], &[u8]) {
    let mut chosen = [0; COUNT];
    let length = COUNT.min(data.len());
    chosen[..length].copy_from_slice(&data[..length]);
    (chosen, &data[length..])
}

/// The bytes in one piece, one by one, and in pieces of two sizes that take turns.
pub(crate) fn ways(bytes: &[u8], sizes: u8) -> [Vec<&[u8]>; 3] {
    let (short, long) = (usize::from(sizes & 7) + 1, usize::from(sizes >> 3) + 2);
    let mut turns = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = if turns.len() % 2 == 0 { short } else { long };
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        turns.push(piece);
        rest = behind;
    }
    [vec![bytes], bytes.chunks(1).collect(), turns]
}

/// Runs `work` and asserts that it never held more than `cap` bytes of memory.
pub(crate) fn within<T>(cap: usize, work: impl FnOnce() -> T) -> T {
    let mut result = None;
    let used = allocation_counter::measure(|| result = Some(work()));
    assert!(used.bytes_max <= cap as u64, "{} bytes of memory, {cap} allowed", used.bytes_max);
    result.expect("it ran")
}

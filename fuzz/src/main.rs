//! One target under libFuzzer: `KEEPLINE_FUZZ` names it.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("KEEPLINE_FUZZ").expect("KEEPLINE_FUZZ names the target");
    keepline_fuzz::target(&name)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));

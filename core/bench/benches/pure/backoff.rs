//! Drawing the wait before the next attempt.

use criterion::Criterion;
use fastrand::Rng;
use keepline_proto::backoff::BackoffEntry;
use keepline_proto::config::Config;
use keepline_proto::{Cause, Ending};
use std::hint::black_box;

/// One draw in the middle of the curve.
pub(crate) fn draw(criterion: &mut Criterion) {
    let config = Config::default().parse().expect("the defaults are valid");
    let ending = Ending::new(Cause::Refused, None);
    let mut rng = Rng::with_seed(7);
    criterion.bench_function("backoff, one draw", |bencher| {
        bencher.iter(|| BackoffEntry::at_step(black_box(3)).next_delay(&config.backoff, &ending, &mut rng));
    });
}

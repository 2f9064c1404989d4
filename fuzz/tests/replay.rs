//! The committed inputs, without a fuzzer: what was found once stays found.

use keepline_fuzz::TARGETS;
use std::path::Path;

#[test]
fn every_committed_input_keeps_every_promise() {
    for (name, run) in TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut inputs = 0;
        for entry in std::fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display())) {
            let path = entry.unwrap().path();
            let data = std::fs::read(&path).unwrap();
            // Named before it runs: a panic then tells which one it was.
            println!("{}", path.display());
            run(&data);
            inputs += 1;
        }
        assert!(inputs >= 10, "{name} has {inputs} inputs");
    }
}

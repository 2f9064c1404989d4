//! The machine depends on no runtime: time, luck and sockets come from outside.

use std::process::Command;

#[test]
fn dependencies_of_the_machine_hold_no_runtime_no_socket_and_no_clock() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "-p", "keepline-proto", "-e", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let names = String::from_utf8_lossy(&tree.stdout).into_owned();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    assert!(names.contains("keepline-proto"), "{names}");
    for banned in ["tokio", "socket2", "mio", "libc", "getrandom", "async-io", "smol"] {
        assert!(!names.lines().any(|line| line.starts_with(&format!("{banned} "))), "{banned} in\n{names}");
    }
}

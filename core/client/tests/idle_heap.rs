//! What an idle client keeps on the heap. A binary of its own: whoever listens to the log has a span for each client besides.

mod idle;

use idle::{Server, beating, sleep};
use keepline::Client;
use std::time::Duration;

/// Just below a power of two, so that what grows by doubling counts little; few enough for the descriptors of a process.
const MANY: usize = 250;

/// Bytes: 1,191 when it has connected, 1,201 after some heartbeats. 408 of them are tokio's own, for the task and the socket.
const HEAP_OF_EACH: i64 = 1_210;

/// Two heartbeats each.
const IDLE: Duration = Duration::from_millis(6500);

#[test]
fn an_idle_client_with_a_heartbeat_keeps_little_memory() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = beating(server.address).validate().unwrap();
    let connect = async || Client::builder(server.address).valid_config(config.clone()).connect().await.unwrap();
    // What the first client alone needs, such as the timer's task, is not the price of one more.
    let first = runtime.block_on(connect());
    let mut clients = Vec::with_capacity(MANY);
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            for _ in 0..MANY {
                clients.push(connect().await);
            }
        });
        sleep(&runtime, IDLE);
    });
    assert!(clients.iter().all(|client| client.stats().heartbeats >= 1), "a client did not beat");
    let each = counted.bytes_current / MANY as i64;
    assert!(each <= HEAP_OF_EACH, "{each} bytes");
    drop((first, clients));
}

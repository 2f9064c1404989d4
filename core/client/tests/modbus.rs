//! A real Modbus server that is stopped for ten seconds and started again.
#![cfg(unix)]

mod support;

use keepline::{Client, Correlation, Endian, ErrorKind, Framing, Heartbeat, IdField, Profile};
use keepline_testkit::process::{ModbusServer, require};
use std::time::Instant;
use support::{SOON, await_event, eventually, millis, secs};

const TRANSACTION_ID: IdField = IdField { offset: 0, width: 2, endian: Endian::Big };

/// Reads one holding register.
fn read_register(transaction: u16, address: u16) -> Vec<u8> {
    let [high, low] = transaction.to_be_bytes();
    let [address_high, address_low] = address.to_be_bytes();
    vec![high, low, 0, 0, 0, 6, 1, 3, address_high, address_low, 0, 1]
}

/// Writes one holding register.
fn write_register(transaction: u16, address: u16, value: u16) -> Vec<u8> {
    let mut frame = read_register(transaction, address);
    frame[7] = 6;
    frame[10..12].copy_from_slice(&value.to_be_bytes());
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_resume_after_a_restart_and_no_stale_write_is_replayed() {
    let test = "reads_resume_after_a_restart_and_no_stale_write_is_replayed";
    let Some(server) = require(test, ModbusServer::start().await) else { return };
    let client = Client::builder(server.addr())
        .profile(Profile::Industrial)
        .framing(Framing::modbus_tcp())
        .correlation(Correlation::Id(TRANSACTION_ID))
        .heartbeat(Heartbeat::new(read_register(0, 0)).every(secs(2)).reply_within(secs(2)))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    await_event(&mut events, "connected", SOON).await;

    // The caller's transaction id comes back, whatever went over the wire.
    let reply = client.request(read_register(7, 42), secs(2)).await.unwrap();
    assert_eq!(&reply[..], [0, 7, 0, 0, 0, 5, 1, 3, 2, 0, 42]);
    client.request(write_register(8, 10, 1), secs(2)).await.unwrap();

    server.kill().unwrap();
    let stopped = Instant::now();
    await_event(&mut events, "disconnected", SOON).await;
    let mut refused = 0;
    while stopped.elapsed() < secs(10) {
        // Without a connection it fails fast: whatever waited for one, or for a reply, would end by its timeout.
        let error = client.request(write_register(9, 11, 2), secs(5)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(!error.maybe_executed(), "{error}");
        assert_eq!(client.try_send(write_register(9, 12, 3)).unwrap_err().kind(), ErrorKind::Unavailable);
        refused += 1;
        tokio::time::sleep(millis(100)).await;
    }
    assert!(refused > 50);

    server.start_again().await.unwrap();
    let back = Instant::now();
    let limit = client.config().backoff.max + secs(1);
    loop {
        match client.request(read_register(10, 5), secs(2)).await {
            Ok(reply) => {
                assert_eq!(&reply[..], [0, 10, 0, 0, 0, 5, 1, 3, 2, 0, 5]);
                break;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        assert!(back.elapsed() < limit, "not back within {limit:?}");
        tokio::time::sleep(millis(20)).await;
    }
    let writes = server.writes().unwrap();
    assert_eq!(writes.len(), 1, "only the write before the stop was carried out: {writes:?}");
    assert_eq!((writes[0].address, writes[0].values.as_slice()), (10, &[1][..]));
    client.close(secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_when_the_server_dies_may_have_been_executed() {
    let test = "a_request_in_flight_when_the_server_dies_may_have_been_executed";
    let Some(server) = require(test, ModbusServer::start().await) else { return };
    let client = Client::builder(server.addr())
        .profile(Profile::Industrial)
        .framing(Framing::modbus_tcp())
        .correlation(Correlation::Id(TRANSACTION_ID))
        .connect()
        .await
        .unwrap();
    server.freeze().await.unwrap();
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.request(write_register(1, 10, 1), SOON).await }
    });
    eventually("the request is out", SOON, || client.stats().bytes_out > 0).await;
    server.kill().unwrap();
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.maybe_executed());
    client.close(secs(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokio_modbus_runs_over_streams_through_a_restart() {
    use tokio_modbus::client::Reader;
    let test = "tokio_modbus_runs_over_streams_through_a_restart";
    let Some(server) = require(test, ModbusServer::start().await) else { return };
    let streams = Client::builder(server.addr())
        .profile(Profile::Industrial)
        .backoff_max(secs(1))
        .connect_streams()
        .await
        .unwrap();
    let stream = streams.next().await.unwrap();
    let first = stream.epoch();
    let mut modbus = tokio_modbus::client::tcp::attach_slave(stream, tokio_modbus::Slave(1));
    let registers = modbus.read_holding_registers(3, 2).await.unwrap().unwrap();
    assert_eq!(registers, [3, 4]);

    server.kill().unwrap();
    let lost = tokio::time::timeout(SOON, async {
        loop {
            if modbus.read_holding_registers(3, 1).await.is_err() {
                return;
            }
        }
    });
    lost.await.expect("the boundary is an error");
    drop(modbus);
    server.start_again().await.unwrap();
    let stream = tokio::time::timeout(SOON, streams.next()).await.unwrap().unwrap();
    assert!(stream.epoch() > first);
    let mut modbus = tokio_modbus::client::tcp::attach_slave(stream, tokio_modbus::Slave(1));
    assert_eq!(modbus.read_holding_registers(9, 1).await.unwrap().unwrap(), [9]);
    drop(modbus);
    streams.close(secs(1)).await;
}

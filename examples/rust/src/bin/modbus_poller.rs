//! Polls a holding register of a controller, and says so when its value is not known.
//!
//! `modbus-poller plc-7.example:502 [REGISTER [COUNT [MILLISECONDS]]]`. The industrial profile holds one connection with
//! one request in flight, and queues nothing: a value is fresh, or there is none. A late answer is never taken for that to
//! the next question.

use keepline::{Client, Correlation, Endian, Framing, Heartbeat, IdField, Profile};
use std::time::Duration;
use tokio::time::sleep;

/// Where Modbus TCP has its transaction id. The client writes it itself.
const TRANSACTION: IdField = IdField { offset: 0, width: 2, endian: Endian::Big };
/// Two seconds for an answer; a controller needs some milliseconds.
const SOON: Duration = Duration::from_secs(2);
/// The bit in the function code by which a controller says that it did not do it.
const ILLEGAL: u8 = 0x80;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("where to? HOST:PORT")?;
    let register: u16 = arguments.next().map_or(Ok(0), |register| register.parse())?;
    let count: u64 = arguments.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let every = Duration::from_millis(arguments.next().map_or(Ok(1_000), |every| every.parse())?);

    let client = Client::builder(&address)
        .profile(Profile::Industrial)
        .framing(Framing::modbus_tcp())
        .correlation(Correlation::Id(TRANSACTION))
        .heartbeat(Heartbeat::new(read_register(register)).every(SOON).reply_within(SOON))
        .start()?;
    for _ in 0..count {
        match client.request(read_register(register), SOON).await {
            Ok(reply) => println!("register {register} is {}", value_of(&reply)),
            Err(error) => println!("register {register} is not known: {error}"),
        }
        sleep(every).await;
    }
    client.close(SOON).await;
    Ok(())
}

/// Asks unit 1 for one holding register (function 3).
fn read_register(address: u16) -> Vec<u8> {
    let [high, low] = address.to_be_bytes();
    vec![0, 0, 0, 0, 0, 6, 1, 3, high, low, 0, 1]
}

/// Header of 7 bytes, function, number of bytes, then the register.
fn value_of(reply: &[u8]) -> String {
    match reply {
        [_, _, _, _, _, _, _, function, code, ..] if function & ILLEGAL != 0 => format!("refused with code {code}"),
        [_, _, _, _, _, _, _, _, _, high, low, ..] => u16::from_be_bytes([*high, *low]).to_string(),
        _ => "not told: the answer is too short".to_owned(),
    }
}

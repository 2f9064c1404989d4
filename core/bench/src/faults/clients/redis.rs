//! redis-rs with its `ConnectionManager`, as quick as it can be set: time limits, kernel options, and RESP3, with which it
//! notices the end of an idle connection.

use super::console::{FLOOD, Subject, tell};
use crate::measure::Failure;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{Client, IntoConnectionInfo, ProtocolVersion, PushKind};
use std::time::Duration;

/// 2 s for an answer, and to connect.
const WITHIN: Duration = Duration::from_secs(2);
/// 1 s, 1 s, 3 probes: the lowest that the kernel takes, and a lost packet may be repeated.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(1), Duration::from_secs(1), 3);
/// 4 s: keepalive's idle + interval × retries.
const USER_TIMEOUT: Duration = Duration::from_secs(4);
/// 100 ms to 1 s between attempts.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// It gives up for good after so many; the command that comes next begins anew.
const ATTEMPTS: usize = 1_000_000;

pub(super) struct Redis {
    manager: ConnectionManager,
}

impl Redis {
    pub(super) async fn connect(address: &str) -> Result<Redis, Failure> {
        let (idle, interval, retries) = KEEPALIVE;
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(retries);
        let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive).set_user_timeout(USER_TIMEOUT);
        let info = format!("redis://{address}/").into_connection_info()?.set_tcp_settings(tcp);
        let protocol = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(WITHIN))
            .set_connection_timeout(Some(WITHIN))
            .set_min_delay(RECONNECT.0)
            .set_max_delay(RECONNECT.1)
            .set_number_of_retries(ATTEMPTS)
            .set_push_sender(|push: redis::PushInfo| {
                if push.kind == PushKind::Disconnection {
                    tell("lost", "disconnection");
                }
                Ok::<(), redis::aio::SendError>(())
            });
        let client = Client::open(info.set_redis_settings(protocol))?;
        Ok(Redis { manager: client.get_connection_manager_with_config(config).await? })
    }
}

impl Subject for Redis {
    async fn exchange(&self) -> Result<(), String> {
        let mut manager = self.manager.clone();
        let answer: redis::RedisResult<String> = redis::cmd("PING").query_async(&mut manager).await;
        answer.map(drop).map_err(|error| error.to_string())
    }

    async fn flood(&self) -> Result<(), String> {
        let mut manager = self.manager.clone();
        let value = vec![b'x'; FLOOD];
        let set: redis::RedisResult<()> = redis::cmd("SET").arg("k").arg(value).query_async(&mut manager).await;
        set.map_err(|error| error.to_string())
    }
}

//! The short way into the core on the Java virtual machine, by JNI: what a program does for each message.
//!
//! A generated call crosses several times, through JNA, and takes fifty times as long. Nothing is decided here, and no error is
//! told but that of a request: what this way refuses or does not know is asked again by the generated call.

mod calls;
mod environment;

use super::client::ForeignClient;
use crate::client::BridgeClient;
use environment::Environment;
use jni_sys::{JNIEnv, jboolean, jbyteArray, jclass, jint, jlong, jobjectArray};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock, Weak};
use std::time::Duration;

/// Clients by their numbers: what comes from outside is looked up, never followed.
static CLIENTS: LazyLock<RwLock<HashMap<u64, Weak<ForeignClient>>>> = LazyLock::new(RwLock::default);

/// The number of a client, under which it is found for as long as it lives.
#[derive(Debug)]
pub(super) struct Number(u64);

impl Number {
    pub(super) fn of(client: Weak<ForeignClient>) -> Number {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        CLIENTS.write().unwrap_or_else(PoisonError::into_inner).insert(number, client);
        Number(number)
    }

    pub(super) fn get(&self) -> u64 {
        self.0
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        CLIENTS.write().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn client_of(number: jlong) -> Option<Arc<ForeignClient>> {
    let number = u64::try_from(number).ok()?;
    CLIENTS.read().unwrap_or_else(PoisonError::into_inner).get(&number)?.upgrade()
}

/// Runs what the virtual machine has called. A panic does not cross the border: it is as if this way did not know.
fn entered<T>(
    environment: *mut JNIEnv,
    number: jlong,
    otherwise: T,
    call: impl FnOnce(Environment, &BridgeClient) -> Option<T>,
) -> T {
    let call = || call(Environment::new(environment)?, client_of(number)?.bridge());
    catch_unwind(AssertUnwindSafe(call)).ok().flatten().unwrap_or(otherwise)
}

/// Remembers the class that is called back.
#[allow(unsafe_code)]
// SAFETY: the name belongs to the class `dev.keepline.Direct`; no other crate here defines it.
#[unsafe(no_mangle)]
extern "system" fn Java_dev_keepline_Direct_begin(environment: *mut JNIEnv, class: jclass) {
    if let Some(environment) = Environment::new(environment) {
        calls::remember(environment, class);
    }
}

/// Whether a message was accepted.
#[allow(unsafe_code)]
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "system" fn Java_dev_keepline_Direct_trySend(
    environment: *mut JNIEnv,
    _class: jclass,
    client: jlong,
    message: jbyteArray,
    idempotent: jboolean,
) -> jboolean {
    entered(environment, client, false, |environment, client| {
        let message = environment.bytes(message)?;
        Some(client.try_send(&message, idempotent).is_ok())
    })
}

/// Whether a batch was accepted, whole.
#[allow(unsafe_code)]
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "system" fn Java_dev_keepline_Direct_trySendMany(
    environment: *mut JNIEnv,
    _class: jclass,
    client: jlong,
    messages: jobjectArray,
    idempotent: jboolean,
) -> jboolean {
    entered(environment, client, false, |environment, client| {
        let messages = environment.all_bytes(messages)?;
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        Some(client.try_send_many(&messages, idempotent).is_ok())
    })
}

/// What is there after number `after`: the epochs, and then each message. Empty if there is nothing yet; `null` if only the
/// generated call can tell, as after the end.
#[allow(unsafe_code)]
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "system" fn Java_dev_keepline_Direct_pull(
    environment: *mut JNIEnv,
    _class: jclass,
    client: jlong,
    after: jlong,
    max: jint,
) -> jobjectArray {
    entered(environment, client, ptr::null_mut(), |environment, client| {
        let after = u64::try_from(after).ok()?;
        let messages = client.pull(after, usize::try_from(max).ok()?).ok()??;
        environment.batch(&messages)
    })
}

/// Begins to wait, at most so long unless it is negative, until `pull` has something to tell, and calls `ready` then.
#[allow(unsafe_code)]
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "system" fn Java_dev_keepline_Direct_watch(
    environment: *mut JNIEnv,
    _class: jclass,
    client: jlong,
    call: jlong,
    timeout_ms: jlong,
) -> jboolean {
    entered(environment, client, false, |_environment, client| {
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        calls::begin(call, client.readable_within(timeout), |call, _readable| calls::ready(call));
        Some(true)
    })
}

/// Begins a request, and calls `replied` or `failed` then.
#[allow(unsafe_code)]
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "system" fn Java_dev_keepline_Direct_request(
    environment: *mut JNIEnv,
    _class: jclass,
    client: jlong,
    call: jlong,
    message: jbyteArray,
    timeout_ms: jlong,
) -> jboolean {
    entered(environment, client, false, |environment, client| {
        let message = environment.bytes(message)?;
        let request = client.request(message.into(), u64::try_from(timeout_ms).ok()?);
        calls::begin(call, request, |call, reply| match reply {
            Ok(reply) => calls::replied(call, &reply),
            Err(error) => calls::failed(call, error.into()),
        });
        Some(true)
    })
}

/// Gives a call up: nobody is called back, unless that is on its way.
#[allow(unsafe_code)]
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "system" fn Java_dev_keepline_Direct_giveUp(_environment: *mut JNIEnv, _class: jclass, call: jlong) {
    let _panicked = catch_unwind(|| calls::give_up(call));
}

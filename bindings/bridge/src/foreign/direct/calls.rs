//! Calls that wait: begun by the virtual machine under a number of its own, and told by that number on the dispatcher's thread.

use super::environment::Environment;
use crate::error::BridgeError;
use crate::foreign::error::ForeignError;
use crate::foreign::{dispatch, jvm};
use crate::operation::Operation;
use jni_sys::{_jmethodID, _jobject, jclass, jlong, jvalue};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// Held for as long as somebody waits: dropped, the call is given up.
type Waiting = Pin<Box<dyn Future<Output = Option<()>> + Send>>;

/// Nothing is there yet between the number and the call.
static CALLS: LazyLock<Mutex<HashMap<jlong, Option<Waiting>>>> = LazyLock::new(Mutex::default);

static CLASS: AtomicPtr<_jobject> = AtomicPtr::new(ptr::null_mut());
static READY: AtomicPtr<_jmethodID> = AtomicPtr::new(ptr::null_mut());
static REPLIED: AtomicPtr<_jmethodID> = AtomicPtr::new(ptr::null_mut());
static FAILED: AtomicPtr<_jmethodID> = AtomicPtr::new(ptr::null_mut());

/// Remembers the class that is called back, and its methods.
pub(super) fn remember(environment: Environment, class: jclass) {
    let kept = environment.keep(class);
    if kept.is_null() {
        return;
    }
    for (method, name, signature) in
        [(&READY, c"ready", c"(J)V"), (&REPLIED, c"replied", c"(J[B)V"), (&FAILED, c"failed", c"(J[B)V")]
    {
        let found = environment.method(kept, name, signature);
        if found.is_null() {
            // The machine throws what it thinks of that.
            return;
        }
        method.store(found, Ordering::Relaxed);
    }
    CLASS.store(kept, Ordering::Release);
}

/// Waits for an operation, and tells its result on the dispatcher's thread.
pub(super) fn begin<T: Send + 'static>(
    call: jlong,
    operation: Operation<T>,
    tell: impl FnOnce(jlong, Result<T, BridgeError>) + Send + 'static,
) {
    calls().insert(call, None);
    let waiting = dispatch::ask(async move {
        let result = operation.await;
        if calls().remove(&call).is_some() {
            tell(call, result);
        }
    });
    // Over already, or still to be kept for whoever gives it up.
    let given_up = match calls().get_mut(&call) {
        Some(place) => {
            *place = Some(Box::pin(waiting));
            None
        }
        None => Some(waiting),
    };
    drop(given_up);
}

/// Gives a call up.
pub(super) fn give_up(call: jlong) {
    let waiting = calls().remove(&call);
    drop(waiting);
}

/// There is something to pull, or the time is over.
pub(super) fn ready(call: jlong) {
    called(&READY, |_environment| Some(vec![jvalue { j: call }]));
}

/// A request was answered.
pub(super) fn replied(call: jlong, reply: &[u8]) {
    with_bytes(&REPLIED, call, reply);
}

/// A request failed: the error as the generated code reads it.
pub(super) fn failed(call: jlong, error: ForeignError) {
    let mut bytes = Vec::new();
    <ForeignError as uniffi::Lower<crate::UniFfiTag>>::write(error, &mut bytes);
    with_bytes(&FAILED, call, &bytes);
}

fn with_bytes(method: &AtomicPtr<_jmethodID>, call: jlong, bytes: &[u8]) {
    called(method, |environment| Some(vec![jvalue { j: call }, jvalue { l: environment.array(bytes)? }]));
}

fn called(method: &AtomicPtr<_jmethodID>, arguments: impl FnOnce(Environment) -> Option<Vec<jvalue>>) {
    let class = CLASS.load(Ordering::Acquire);
    let method = method.load(Ordering::Relaxed);
    let Some(environment) = jvm::attach().and_then(Environment::new) else { return };
    if class.is_null() || method.is_null() {
        return;
    }
    if let Some(arguments) = arguments(environment) {
        environment.call(class, method, &arguments);
    }
}

fn calls() -> MutexGuard<'static, HashMap<jlong, Option<Waiting>>> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    #[test]
    fn call_is_told_once_and_one_that_is_given_up_ends_without_a_word() {
        let runtime = runtime::handle().unwrap();
        let (told, telling) = channel();
        let teller = told.clone();
        begin(-1, Operation::new(runtime.clone(), async { Ok(7) }), move |call, result| {
            teller.send((call, result.unwrap())).unwrap();
        });
        assert_eq!(telling.recv_timeout(Duration::from_secs(10)), Ok((-1, 7)));

        let (dropped, dropping) = channel::<()>();
        let waiting = Operation::new(runtime, async move {
            let _dropped = dropped;
            std::future::pending::<Result<i32, BridgeError>>().await
        });
        begin(-2, waiting, move |call, result| told.send((call, result.unwrap())).unwrap());
        give_up(-2);
        assert_eq!(dropping.recv_timeout(Duration::from_secs(10)), Err(RecvTimeoutError::Disconnected));
        assert!(telling.recv_timeout(Duration::from_secs(10)).is_err(), "nothing was told, and nobody tells any more");
        assert!(!calls().contains_key(&-1) && !calls().contains_key(&-2));
    }
}

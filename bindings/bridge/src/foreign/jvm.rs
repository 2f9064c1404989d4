//! Makes a thread known to the Java virtual machine, once and as a daemon.
//!
//! A thread that the machine does not know is made known and forgotten again by each callback: a new Java thread each
//! time, at twice the price. The machine tells of itself when the library is loaded by `System.load`, which the
//! facade does before anything else. Elsewhere (Swift) all of this is never called.

use jni_sys::{JNI_OK, JNI_VERSION_1_6, JNIEnv, JavaVM, jint};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

static MACHINE: AtomicPtr<JavaVM> = AtomicPtr::new(ptr::null_mut());

/// Called by the virtual machine when it loads this library.
#[allow(unsafe_code)]
// SAFETY: the name belongs to the protocol of the virtual machine; no other crate here defines it.
#[unsafe(no_mangle)]
pub(super) extern "system" fn JNI_OnLoad(machine: *mut JavaVM, _reserved: *mut c_void) -> jint {
    MACHINE.store(machine, Ordering::Release);
    JNI_VERSION_1_6
}

/// Makes the calling thread known to the virtual machine, if there is one, for as long as the thread lives, and gives its
/// environment there.
pub(super) fn attach() -> Option<*mut JNIEnv> {
    let machine = MACHINE.load(Ordering::Acquire);
    if machine.is_null() {
        return None;
    }
    let mut environment = ptr::null_mut();
    #[allow(unsafe_code)]
    // SAFETY: the machine gave this pointer in `JNI_OnLoad` and lives as long as its process; a null third argument is
    // allowed and leaves the name to the machine. The result tells of failure; without an environment each callback
    // attaches by itself, as it would have without this call.
    let attached =
        unsafe { ((**machine).v1_4.AttachCurrentThreadAsDaemon)(machine, &raw mut environment, ptr::null_mut()) };
    (attached == JNI_OK).then_some(environment.cast())
}

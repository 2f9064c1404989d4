//! What this way needs of a thread's environment in the virtual machine, each call with its reason to be sound.

use jni_sys::{JNIEnv, jbyteArray, jclass, jint, jmethodID, jobject, jobjectArray, jsize, jvalue};
use keepline::Message;
use std::ffi::CStr;

/// The environment of the calling thread, during one call.
#[derive(Clone, Copy)]
pub(super) struct Environment(*mut JNIEnv);

// Every block below: `self.0` is the environment that the virtual machine gave to this very thread for this call, and its
// table of functions is complete for JNI 1.6, which `JNI_OnLoad` asked for. References are local ones of this call, made or
// handed in by the machine, and of the kind that the signature in `dev.keepline.Direct` names.
#[allow(unsafe_code)]
impl Environment {
    pub(super) fn new(environment: *mut JNIEnv) -> Option<Environment> {
        (!environment.is_null()).then_some(Environment(environment))
    }

    /// A copy of an array of bytes.
    pub(super) fn bytes(self, array: jbyteArray) -> Option<Vec<u8>> {
        if array.is_null() {
            return None;
        }
        // SAFETY: an array of bytes that is not null.
        let length = unsafe { ((**self.0).v1_6.GetArrayLength)(self.0, array) };
        let mut bytes = vec![0u8; usize::try_from(length).ok()?];
        // SAFETY: the region is the whole array, and `bytes` is as long.
        unsafe { ((**self.0).v1_6.GetByteArrayRegion)(self.0, array, 0, length, bytes.as_mut_ptr().cast()) };
        Some(bytes)
    }

    /// A copy of an array of arrays of bytes.
    pub(super) fn all_bytes(self, arrays: jobjectArray) -> Option<Vec<Vec<u8>>> {
        if arrays.is_null() {
            return None;
        }
        // SAFETY: an array of objects that is not null.
        let count = unsafe { ((**self.0).v1_6.GetArrayLength)(self.0, arrays) };
        (0..count)
            .map(|index| {
                // SAFETY: the index is within the array.
                let array = unsafe { ((**self.0).v1_6.GetObjectArrayElement)(self.0, arrays, index) };
                let bytes = self.bytes(array);
                self.let_go(array);
                bytes
            })
            .collect()
    }

    /// The epochs of messages as an array of long, and after it each of them; empty if there are none. `None` leaves the
    /// machine's own error (there is no memory) to be thrown when this call returns.
    pub(super) fn batch(self, messages: &[Message]) -> Option<jobjectArray> {
        let size = if messages.is_empty() { 0 } else { jsize::try_from(messages.len() + 1).ok()? };
        // SAFETY: a class of the machine's own by its name, and an array of it without an initial element.
        let batch = unsafe {
            let class = ((**self.0).v1_6.FindClass)(self.0, c"java/lang/Object".as_ptr());
            if class.is_null() {
                return None;
            }
            let batch = ((**self.0).v1_6.NewObjectArray)(self.0, size, class, std::ptr::null_mut());
            ((**self.0).v1_6.DeleteLocalRef)(self.0, class);
            batch
        };
        if batch.is_null() || messages.is_empty() {
            return (!batch.is_null()).then_some(batch);
        }
        self.put(batch, 0, self.epochs(messages)?);
        for (index, message) in (1..).zip(messages) {
            self.put(batch, index, self.array(&message.payload)?);
        }
        Some(batch)
    }

    fn epochs(self, messages: &[Message]) -> Option<jobject> {
        let epochs: Vec<i64> = messages.iter().map(|message| message.epoch.0.cast_signed()).collect();
        let length = jsize::try_from(epochs.len()).ok()?;
        // SAFETY: the region is the whole of the new array, and `epochs` is as long.
        unsafe {
            let array = ((**self.0).v1_6.NewLongArray)(self.0, length);
            if array.is_null() {
                return None;
            }
            ((**self.0).v1_6.SetLongArrayRegion)(self.0, array, 0, length, epochs.as_ptr());
            Some(array)
        }
    }

    /// A new array of bytes.
    pub(super) fn array(self, bytes: &[u8]) -> Option<jbyteArray> {
        let length = jsize::try_from(bytes.len()).ok()?;
        // SAFETY: the region is the whole of the new array, and `bytes` is as long.
        unsafe {
            let array = ((**self.0).v1_6.NewByteArray)(self.0, length);
            if array.is_null() {
                return None;
            }
            ((**self.0).v1_6.SetByteArrayRegion)(self.0, array, 0, length, bytes.as_ptr().cast());
            Some(array)
        }
    }

    fn put(self, into: jobjectArray, index: jint, element: jobject) {
        // SAFETY: the index is within the array, which takes any object.
        unsafe { ((**self.0).v1_6.SetObjectArrayElement)(self.0, into, index, element) };
        self.let_go(element);
    }

    /// A call has room for a few references of its own, and a batch has hundreds.
    pub(super) fn let_go(self, reference: jobject) {
        // SAFETY: a local reference of this call, or null, which is allowed.
        unsafe { ((**self.0).v1_6.DeleteLocalRef)(self.0, reference) };
    }

    /// A reference to a class that is never let go of.
    pub(super) fn keep(self, class: jclass) -> jclass {
        // SAFETY: the class that the machine hands to a static method.
        unsafe { ((**self.0).v1_6.NewGlobalRef)(self.0, class) }
    }

    /// A static method of a class that was kept; null if there is none, and then the machine has an error to throw.
    pub(super) fn method(self, class: jclass, name: &CStr, signature: &CStr) -> jmethodID {
        // SAFETY: a class that was kept, and two texts that end with 0.
        unsafe { ((**self.0).v1_6.GetStaticMethodID)(self.0, class, name.as_ptr(), signature.as_ptr()) }
    }

    /// Calls a static method that returns nothing. What it throws goes to nobody: it catches everything itself.
    pub(super) fn call(self, class: jclass, method: jmethodID, arguments: &[jvalue]) {
        // SAFETY: method and class belong together and were kept, and the arguments are those of its signature; no error
        // is left behind on a thread that calls again.
        unsafe {
            ((**self.0).v1_6.CallStaticVoidMethodA)(self.0, class, method, arguments.as_ptr());
            if ((**self.0).v1_6.ExceptionCheck)(self.0) {
                ((**self.0).v1_6.ExceptionClear)(self.0);
            }
        }
    }
}

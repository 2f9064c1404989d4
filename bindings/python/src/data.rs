//! Bytes from Python and to Python: `bytes` by reference, everything else that has a buffer by copy.

use bytes::Bytes;
use keepline_bridge::message::Payload;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView, PyTuple};

/// 1 MiB: copying it takes about 100 µs, for which other threads get the interpreter. Giving that up costs 30 ns where
/// nobody wants it, and up to 5 ms beside a thread that does not let go: not worth it for less.
const LARGE: usize = 1 << 20;

/// The bytes of a bytes-like object.
pub(crate) enum Data<'py> {
    Held(Bound<'py, PyBytes>),
    Copied(Bytes),
}

impl<'py> Data<'py> {
    pub(crate) fn of(object: &Bound<'py, PyAny>) -> PyResult<Data<'py>> {
        match object.cast::<PyBytes>() {
            Ok(bytes) => Ok(Data::Held(bytes.clone())),
            Err(_other) => copied(object).map(Data::Copied),
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Data::Held(bytes) => bytes.as_bytes(),
            Data::Copied(bytes) => bytes,
        }
    }
}

/// Calls `with` with the bytes of a bytes-like object; while it works on many, other threads may run.
pub(crate) fn sent<T: Send>(object: &Bound<'_, PyAny>, with: impl FnOnce(Outgoing<'_>) -> T + Send) -> PyResult<T> {
    let Ok(bytes) = object.cast::<PyBytes>() else {
        return copied(object).map(|bytes| with(Outgoing::Owned(bytes)));
    };
    let slice = bytes.as_bytes();
    if slice.len() < LARGE {
        return Ok(with(Outgoing::Slice(slice)));
    }
    check_room(slice.len())?;
    // `bytes` never change, and this one is referred to.
    Ok(object.py().detach(|| with(Outgoing::Slice(slice))))
}

/// A message as it came from Python.
pub(crate) enum Outgoing<'a> {
    Slice(&'a [u8]),
    Owned(Bytes),
}

impl Payload for Outgoing<'_> {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        match self {
            Outgoing::Slice(bytes) => bytes,
            Outgoing::Owned(bytes) => bytes,
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Outgoing::Slice(bytes) => Bytes::copy_from_slice(bytes),
            Outgoing::Owned(bytes) => bytes,
        }
    }
}

/// The messages of a list or a tuple.
pub(crate) struct Batch<'py> {
    messages: Vec<Data<'py>>,
    bytes: usize,
}

impl<'py> Batch<'py> {
    pub(crate) fn of(objects: &Bound<'py, PyAny>) -> PyResult<Batch<'py>> {
        let messages = if let Ok(list) = objects.cast::<PyList>() {
            list.iter().map(|object| Data::of(&object)).collect::<PyResult<Vec<_>>>()?
        } else {
            objects.cast::<PyTuple>()?.iter().map(|object| Data::of(&object)).collect::<PyResult<Vec<_>>>()?
        };
        let bytes = messages.iter().map(|message| message.as_slice().len()).sum();
        Ok(Batch { messages, bytes })
    }

    /// Calls `with` with the bytes of each; while it works on many, other threads may run.
    pub(crate) fn sent<T: Send>(&self, py: Python<'py>, with: impl FnOnce(&[&[u8]]) -> T + Send) -> PyResult<T> {
        let slices: Vec<&[u8]> = self.messages.iter().map(Data::as_slice).collect();
        if self.bytes < LARGE {
            return Ok(with(&slices));
        }
        check_room(self.bytes)?;
        Ok(py.detach(|| with(&slices)))
    }

    /// Copies the bytes of all.
    pub(crate) fn owned(&self) -> PyResult<Vec<Bytes>> {
        let mut all = room(self.bytes)?;
        self.messages.iter().for_each(|message| all.extend_from_slice(message.as_slice()));
        let mut all = Bytes::from(all);
        Ok(self.messages.iter().map(|message| all.split_to(message.as_slice().len())).collect())
    }
}

/// Copies the bytes of a bytes-like object.
pub(crate) fn owned(object: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    match object.cast::<PyBytes>() {
        Ok(bytes) => copy(bytes),
        Err(_other) => copied(object),
    }
}

/// The bytes of a buffer, with the interpreter held: another thread may write into it.
fn copied(object: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    match PyBuffer::<u8>::get(object) {
        Ok(buffer) => {
            check_room(buffer.item_count())?;
            Ok(buffer.to_vec(object.py())?.into())
        }
        // Of other items than bytes, as `socket.send` takes them, too; or no buffer at all, which this tells best.
        Err(_items) => copy(PyMemoryView::from(object)?.call_method0("tobytes")?.cast::<PyBytes>()?),
    }
}

fn copy(bytes: &Bound<'_, PyBytes>) -> PyResult<Bytes> {
    let mut copy = room(bytes.as_bytes().len())?;
    copy.extend_from_slice(bytes.as_bytes());
    Ok(copy.into())
}

/// Finds out whether there is memory for a copy that somebody else makes, and whose failure would end the program.
fn check_room(bytes: usize) -> PyResult<()> {
    room(bytes).map(drop)
}

/// Memory for so many bytes; where there is none, the exception of Python's own copies.
fn room(bytes: usize) -> PyResult<Vec<u8>> {
    let mut room = Vec::new();
    room.try_reserve_exact(bytes).map_err(|_none| PyMemoryError::new_err(()))?;
    Ok(room)
}

/// Makes `bytes`; while many are copied, other threads may run.
pub(crate) fn object<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    if bytes.len() < LARGE {
        return Ok(PyBytes::new(py, bytes));
    }
    let length = ffi::Py_ssize_t::try_from(bytes.len())?;
    #[allow(unsafe_code)]
    // SAFETY: the interpreter is held. A null source asks for `length` bytes that are not yet anything, in a new object
    // which nobody else has; null for no memory becomes the exception that was set.
    let (made, place) = unsafe {
        let made = Bound::from_owned_ptr_or_err(py, ffi::PyBytes_FromStringAndSize(std::ptr::null(), length))?;
        let place = ffi::PyBytes_AsString(made.as_ptr()).cast::<u8>();
        (made, Place(place))
    };
    py.detach(|| {
        let place = place;
        #[allow(unsafe_code)]
        // SAFETY: the object has `bytes.len()` bytes there, lives on in `made`, and is known to no other thread.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.0, bytes.len());
        }
    });
    Ok(made.cast_into::<PyBytes>()?)
}

/// Where the bytes of a new object lie.
struct Place(*mut u8);

#[allow(unsafe_code)]
// SAFETY: the bytes are written by one thread, before any other can know of them.
unsafe impl Send for Place {}

//! Bytes from Python: `bytes` by reference, everything else that has a buffer by copy.

use bytes::Bytes;
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Calls `with` with the bytes of a bytes-like object.
pub(crate) fn borrowed<T>(data: &Bound<'_, PyAny>, with: impl FnOnce(&[u8]) -> T) -> PyResult<T> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(with(bytes.as_bytes()));
    }
    // Copied: another thread may write into the buffer meanwhile.
    let copied = PyBuffer::<u8>::get(data)?.to_vec(data.py())?;
    Ok(with(&copied))
}

/// Copies the bytes of a bytes-like object.
pub(crate) fn owned(data: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(Bytes::copy_from_slice(bytes.as_bytes()));
    }
    Ok(PyBuffer::<u8>::get(data)?.to_vec(data.py())?.into())
}

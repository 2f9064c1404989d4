//! Flat records as dictionaries, both ways. Bytes are bytes on the way in, and lists of numbers on the way out.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// Reads a record from a dictionary.
pub(crate) fn from_python<T: DeserializeOwned>(record: &Bound<'_, PyDict>) -> PyResult<T> {
    let value = read(record.as_any())?;
    serde_json::from_value(value).map_err(|error| PyTypeError::new_err(error.to_string()))
}

/// Makes a dictionary, or a list of them, from a record.
pub(crate) fn to_python<'py, T: Serialize>(py: Python<'py>, record: &T) -> PyResult<Bound<'py, PyAny>> {
    let value = serde_json::to_value(record).map_err(|error| PyTypeError::new_err(error.to_string()))?;
    made(py, &value)
}

fn read(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if object.is_none() {
        Ok(Value::Null)
    } else if let Ok(flag) = object.cast::<PyBool>() {
        Ok(Value::Bool(flag.is_true()))
    } else if object.is_instance_of::<PyInt>() {
        match object.extract::<u64>() {
            Ok(number) => Ok(number.into()),
            Err(_negative) => Ok(object.extract::<i64>()?.into()),
        }
    } else if let Ok(number) = object.cast::<PyFloat>() {
        let number = Number::from_f64(number.value());
        number.map(Value::Number).ok_or_else(|| PyTypeError::new_err("a number must be finite"))
    } else if let Ok(text) = object.cast::<PyString>() {
        Ok(Value::String(text.extract()?))
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Ok(bytes.as_bytes().iter().map(|byte| Value::from(*byte)).collect())
    } else if let Ok(list) = object.cast::<PyList>() {
        list.iter().map(|item| read(&item)).collect()
    } else if let Ok(record) = object.cast::<PyDict>() {
        let fields = record.iter().map(|(name, value)| Ok((name.extract()?, read(&value)?)));
        fields.collect::<PyResult<Map<String, Value>>>().map(Value::Object)
    } else if let Ok(items) = object.cast::<PyTuple>() {
        items.iter().map(|item| read(&item)).collect()
    } else {
        Err(PyTypeError::new_err(format!("{} has no place in a record", object.get_type())))
    }
}

fn made<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(flag) => flag.into_bound_py_any(py),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into_bound_py_any(py),
            (None, Some(number)) => number.into_bound_py_any(py),
            (None, None) => number.as_f64().into_bound_py_any(py),
        },
        Value::String(text) => text.into_bound_py_any(py),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(made(py, item)?)?;
            }
            Ok(list.into_any())
        }
        Value::Object(fields) => {
            let dictionary = PyDict::new(py);
            for (name, value) in fields {
                dictionary.set_item(name, made(py, value)?)?;
            }
            Ok(dictionary.into_any())
        }
    }
}

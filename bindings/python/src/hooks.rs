//! Hooks in Python: questions that the loop pulls, and the connection of a greeting.

use crate::data;
use crate::errors::raised;
use crate::operations::{Operations, Value};
use keepline_bridge::config::SecretRecord;
use keepline_bridge::{
    Answered, BridgeError, BridgeGreeting, BridgeQuestions, CredentialsQuestion, Here, HookError, Hooks as Asked,
    NameQuestion, Question, QuestionKind,
};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::{Arc, Mutex, PoisonError};

/// The questions of one client, and where it asks them.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Hooks {
    questions: BridgeQuestions,
    /// Taken by the client: its end is the end of the questions.
    asked: Here<Mutex<Option<Arc<dyn Asked>>>>,
}

/// The connection of one greeting.
#[pyclass(frozen, module = "keepline._core")]
pub(crate) struct Greeting {
    greeting: BridgeGreeting,
}

#[pymethods]
impl Hooks {
    #[new]
    fn new(addresses: bool, proxy_credentials: bool) -> Hooks {
        let (questions, asked) = BridgeQuestions::new(Answered { addresses, proxy_credentials });
        Hooks { questions, asked: Here::new(Mutex::new(Some(asked))) }
    }

    /// The next questions as tuples `(number, kind, …)`; an empty list when the client is gone.
    fn next<'py>(&self, py: Python<'py>, operations: &Operations) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.questions.next().map(Value::Questions))
    }

    /// Answers say whether the question was still asked.
    fn greeted(&self, py: Python<'_>, number: u64) -> PyResult<bool> {
        on(py, self.questions.greeted(number))
    }

    fn credentials(&self, number: u64, secret: &Bound<'_, PyAny>) -> PyResult<bool> {
        let copied = SecretRecord(data::owned(secret)?.into());
        on(secret.py(), self.questions.credentials(number, copied))
    }

    fn proxy_credentials(&self, py: Python<'_>, number: u64, user: String, password: String) -> PyResult<bool> {
        on(py, self.questions.proxy_credentials(number, user, password))
    }

    fn addresses(&self, py: Python<'_>, number: u64, addresses: Vec<String>) -> PyResult<bool> {
        on(py, self.questions.addresses(number, addresses))
    }

    fn failed(
        &self,
        py: Python<'_>,
        number: u64,
        kind: &str,
        reason: &str,
        retry_after_ms: Option<u64>,
    ) -> PyResult<bool> {
        let error = HookError::new(kind, reason).with_retry_after(retry_after_ms);
        on(py, self.questions.failed(number, error))
    }
}

#[pymethods]
impl Greeting {
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        on(py, self.greeting.epoch())
    }

    fn endpoint(&self, py: Python<'_>) -> PyResult<String> {
        on(py, self.greeting.endpoint())
    }

    fn send(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        on(data.py(), self.greeting.send(data::owned(data)?))
    }

    fn recv<'py>(
        &self,
        py: Python<'py>,
        operations: &Operations,
        timeout_ms: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.greeting.recv(timeout_ms).map(Value::Bytes))
    }

    fn credentials<'py>(&self, py: Python<'py>, operations: &Operations) -> PyResult<Bound<'py, PyAny>> {
        operations.start(py, self.greeting.credentials().map(|secret| Value::Bytes(secret.0.into())))
    }
}

impl Hooks {
    /// What a client asks. There is one client for each.
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<Arc<dyn Asked>> {
        let asked = on(py, self.asked.get())?;
        let taken = asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| raised(py, &BridgeError::internal("these hooks have a client already")))
    }
}

/// Questions as Python pulls them.
pub(crate) fn list(py: Python<'_>, questions: Vec<Question>) -> PyResult<Bound<'_, PyAny>> {
    let list = PyList::empty(py);
    for Question { number, kind } in questions {
        list.append(match kind {
            QuestionKind::Greeting(greeting) => (number, "greeting", Greeting { greeting }).into_bound_py_any(py)?,
            QuestionKind::Credentials(CredentialsQuestion { epoch, endpoint, refusals }) => {
                (number, "credentials", epoch, endpoint, refusals).into_bound_py_any(py)?
            }
            QuestionKind::ProxyCredentials(CredentialsQuestion { epoch, endpoint, refusals }) => {
                (number, "proxy_credentials", epoch, endpoint, refusals).into_bound_py_any(py)?
            }
            QuestionKind::Addresses(NameQuestion { host, port }) => {
                (number, "addresses", host, port).into_bound_py_any(py)?
            }
            QuestionKind::Withdrawn => (number, "withdrawn").into_bound_py_any(py)?,
        })?;
    }
    Ok(list.into_any())
}

fn on<T>(py: Python<'_>, result: Result<T, BridgeError>) -> PyResult<T> {
    result.map_err(|error| raised(py, &error))
}

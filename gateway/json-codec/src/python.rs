//! The Python module: `Table`, made once at start-up, and the printers and parsers made from it.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::json::Limits;
use crate::parse::parse;
use crate::print::{Options, Printer, print};
use crate::tables::{EnumSpec, MessageSpec, Table};

/// A text of as many bytes is parsed without the interpreter's lock.
const LARGE_BYTES: usize = 256 * 1024;

#[pyclass(frozen, name = "Table", module = "diptych_json")]
struct PyTable(Arc<Table>);

#[pymethods]
impl PyTable {
    #[new]
    fn new(messages: Vec<MessageSpec>, enums: Vec<EnumSpec>) -> PyResult<Self> {
        Ok(PyTable(Arc::new(Table::new(messages, enums).map_err(PyValueError::new_err)?)))
    }

    /// Returns a printer of the message at `index`.
    #[pyo3(signature = (index, *, emit_defaults, preserve_names, enums_as_ints))]
    fn printer(
        &self,
        index: usize,
        emit_defaults: bool,
        preserve_names: bool,
        enums_as_ints: bool,
    ) -> PyResult<PyPrinter> {
        let options = Options { emit_defaults, preserve_names, enums_as_ints };
        Ok(PyPrinter { index: self.checked(index)?, table: Arc::clone(&self.0), options })
    }

    /// Returns a parser of the message at `index`, or of the value of its field at `field`.
    #[pyo3(signature = (index, *, field, elements, depth))]
    fn parser(&self, index: usize, field: Option<usize>, elements: usize, depth: usize) -> PyResult<PyParser> {
        let limits = Limits { elements, depth };
        Ok(PyParser { index: self.checked(index)?, table: Arc::clone(&self.0), field, limits })
    }
}

impl PyTable {
    fn checked(&self, index: usize) -> PyResult<usize> {
        let count = self.0.messages.len();
        if index < count {
            return Ok(index);
        }
        Err(PyValueError::new_err(format!("the table has {count} messages, and none at {index}")))
    }
}

#[pyclass(frozen, name = "Printer", module = "diptych_json")]
struct PyPrinter {
    table: Arc<Table>,
    index: usize,
    options: Options,
}

#[pymethods]
impl PyPrinter {
    /// Returns the JSON of a serialized message, or None if it is not certain.
    #[pyo3(signature = (wire, /))]
    fn print<'py>(&self, py: Python<'py>, wire: &[u8]) -> Option<Bound<'py, PyBytes>> {
        print(&self.table, self.index, wire, self.options).ok().map(|text| PyBytes::new(py, &text))
    }

    /// Returns what `print` returns for each of the messages; a call for each would cost more than their printing.
    #[pyo3(signature = (wires, /))]
    fn print_all<'py>(&self, wires: &Bound<'py, PyList>) -> PyResult<Vec<Option<Bound<'py, PyBytes>>>> {
        let mut printer = Printer::new(&self.table, self.options);
        let mut texts = Vec::with_capacity(wires.len());
        for wire in wires {
            let text = printer.print(self.index, wire.cast::<PyBytes>()?.as_bytes());
            texts.push(text.ok().map(|text| PyBytes::new(wires.py(), text)));
        }
        Ok(texts)
    }
}

#[pyclass(frozen, name = "Parser", module = "diptych_json")]
struct PyParser {
    table: Arc<Table>,
    index: usize,
    field: Option<usize>,
    limits: Limits,
}

#[pymethods]
impl PyParser {
    /// Returns the serialized message that a JSON text is, or None if it is not certain.
    #[pyo3(signature = (body, /))]
    fn parse<'py>(&self, py: Python<'py>, body: &[u8]) -> Option<Bound<'py, PyBytes>> {
        let parsed = || parse(&self.table, self.index, self.field, body, self.limits);
        // Other threads run meanwhile; for a small text that would cost more than it gives.
        let wire = if body.len() < LARGE_BYTES { parsed() } else { py.detach(parsed) };
        wire.ok().map(|wire| PyBytes::new(py, &wire))
    }
}

#[pymodule]
fn diptych_json(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTable>()?;
    module.add_class::<PyPrinter>()?;
    module.add_class::<PyParser>()
}

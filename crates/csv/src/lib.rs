//! Components as CSV: import plans and exports.
//!
//! A file becomes a [`Table`] by its [`Form`]: which columns fill which fields. The [`Plan`] compares the
//! rows of the table with the components that are [`existing()`], and decides for each row what to do. The
//! caller carries out [`Plan::operations`] as one write: they state the versions that were compared, so that
//! later changes are not overwritten. A [`ComponentWriter`] writes components back as CSV.
//!
//! What belongs here: the meaning of a row. What does not: reading files, and displaying a plan.

mod cell;
mod component_writer;
mod existing;
mod fault;
mod lines;
mod mapping;
mod plan;
mod table;
mod width;

pub use component_writer::{ComponentWriter, ComponentWriterError};
pub use existing::existing;
pub use fault::Fault;
pub use mapping::{Layout, LayoutError, Mapping, TargetField};
pub use plan::{Outcome, Plan, Planned, RecordsLost};
pub use table::{FaultyRow, Form, Header, Row, Table, TableError};

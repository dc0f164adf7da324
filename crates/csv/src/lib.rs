//! Components as CSV: what a file would change, and a file of what there is.
//!
//! A file becomes a [`Table`] by its [`Form`]: which columns fill which fields. The [`Plan`] compares the rows of
//! the table with the components that are [`existing()`], and says of each row what is to be done. Whoever carries
//! it out writes [`Plan::operations`] as one write: they state the versions that were compared, so that nothing
//! is overwritten that was changed since. A [`Sheet`] is the way back.
//!
//! What belongs here: what a row means. What does not: where a file comes from, and how a plan is shown.

mod cell;
mod existing;
mod fault;
mod lines;
mod mapping;
mod plan;
mod sheet;
mod table;
mod width;

pub use existing::existing;
pub use fault::Fault;
pub use mapping::{Layout, LayoutError, Mapping, Slot};
pub use plan::{Outcome, Plan, Planned, RecordsLost};
pub use sheet::{Sheet, SheetError};
pub use table::{FaultyRow, Form, Header, Row, Table, TableError};

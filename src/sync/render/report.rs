//! `report.json`.

use std::io::{self, Write};

use crate::model::report::RunReport;

/// Writes the report over several lines, with a line end behind it. On one line it is the object of `run -o json`.
pub fn report_json(write: &mut impl Write, report: &RunReport) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *write, report)?;
    write.write_all(b"\n")
}

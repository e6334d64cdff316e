//! Preview: the first rows of the next file, raw and mapped. Writes nothing anywhere but its spool folder.

use std::{collections::HashSet, fs::File, path::Path};

use super::{
    fetch::fetch,
    look::look,
    outcome::{Record, RunError},
    read::mapped_for,
    spool::{self, scratch},
};
use crate::{
    model::{
        job::{From, Job, Mapping},
        reject::Reject,
    },
    ports::Ports,
    sync::{
        decode::{Decoder, RawRow},
        expression::Expression,
        layout::layout,
        map::{Mapped, Mapper, User},
        render::masked,
    },
};

/// The first rows of a file.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The file's name.
    pub file: String,
    /// The header's names.
    pub header: Vec<String>,
    /// The delimiter that was found or given.
    pub delimiter: char,
    /// The encoding that was found or given.
    pub encoding: String,
    /// The first data rows.
    pub rows: Vec<PreviewRow>,
}

/// One row, raw and mapped.
#[derive(Clone, Debug)]
pub struct PreviewRow {
    /// The physical line on which it begins.
    pub line: u64,
    /// The cells as they came.
    pub cells: Vec<String>,
    /// What becomes of it.
    pub mapped: PreviewMapped,
}

/// What becomes of a row.
#[derive(Clone, Debug)]
pub enum PreviewMapped {
    /// A user: property and value; None is empty.
    User(Vec<(String, Option<String>)>),
    /// Left out by the filter.
    Filtered,
    /// Refused.
    Rejected(Reject),
}

/// Reads the first `count` rows of the file that the next run would take. None: there is no file, for this reason.
pub async fn preview(
    job: &Job,
    ports: &Ports,
    spool: &Path,
    count: usize,
) -> Result<Result<Preview, String>, RunError> {
    let mut record = Record::begin(job);
    let table = ports.store.inspect().await?;
    let layout = layout(&job.sync, &table).map_err(RunError::Table)?;
    let nothing = |record: Record| Ok(Err(record.nothing.unwrap_or_default()));
    let Some(chosen) = look(job, ports, &mut record).await? else { return nothing(record) };
    let Some(fetched) = fetch(job, ports, chosen, spool, &mut record).await? else { return nothing(record) };
    let file = fetched.stamp.name;
    let failed = |why: String| RunError::File(format!("{file}: {why}"));
    let mut decoder = Decoder::open(File::open(spool::input(spool))?, &job.sync.csv, scratch(spool)?)
        .map_err(|error| failed(error.to_string()))?;
    let header = decoder.header().clone();
    let mapping = mapped_for(job.sync.action, &job.sync.mapping);
    let mut mapper = Mapper::new(&mapping, &job.sync.csv, &header, &layout, job.sync.conflict)
        .map_err(|problems| failed(problems.join("\n")))?;
    let hidden = hidden(&mapping, &header.names);
    let (mut row, mut user, mut rows) = (RawRow::default(), User::default(), Vec::new());
    while rows.len() < count {
        let Some(read) = decoder.next(&mut row).map_err(|error| failed(error.to_string()))? else { break };
        let mapped = match read.map(|()| mapper.map(&row, &mut user)) {
            Err(reject) | Ok(Mapped::Rejected(reject)) => PreviewMapped::Rejected(reject),
            Ok(Mapped::Filtered) => PreviewMapped::Filtered,
            Ok(Mapped::User) => {
                let shown = |at: usize, hidden| masked(user.values[at].as_deref(), hidden).map(str::to_owned);
                let values = layout.insert_columns();
                PreviewMapped::User(values.map(|(at, c)| (c.column.name.clone(), shown(at, c.sensitive))).collect())
            }
        };
        let shown = |(at, cell)| masked(Some(cell), hidden.contains(&at)).unwrap_or_default().to_owned();
        rows.push(PreviewRow { line: row.line, cells: row.cells().enumerate().map(shown).collect(), mapped });
    }
    let delimiter = char::from(header.delimiter);
    Ok(Ok(Preview { file, header: header.names, delimiter, encoding: header.encoding.to_owned(), rows }))
}

/// The places of the file's columns from which a sensitive property comes.
fn hidden(mapping: &Mapping, header: &[String]) -> HashSet<usize> {
    let sensitive = mapping.properties.iter().filter(|property| property.sensitive);
    let names: Vec<String> = sensitive
        .flat_map(|property| match &property.from {
            From::Column(names) => names.clone(),
            From::Expression(text) => Expression::compile(text).map(|e| e.columns()).unwrap_or_default(),
        })
        .map(|name| name.trim().to_lowercase())
        .collect();
    (0..header.len()).filter(|at| names.contains(&header[*at].to_lowercase())).collect()
}

//! The table of all results, and whether each promise holds.

use anyhow::{Result, ensure};

use crate::figures::print;

#[derive(Default)]
pub(super) struct Report(Vec<Row>);

struct Row {
    what: String,
    found: String,
    promise: String,
    /// `None` if the result has no promise.
    holds: Option<bool>,
}

impl Report {
    /// Adds a result that has a promise.
    pub(super) fn gate(
        &mut self,
        what: impl Into<String>,
        found: impl Into<String>,
        promise: impl Into<String>,
        holds: bool,
    ) {
        let promise = promise.into();
        self.add(what.into(), found.into(), promise, Some(holds));
    }

    /// Adds a result without a promise.
    pub(super) fn note(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.add(what.into(), found.into(), String::new(), None);
    }

    fn add(&mut self, what: String, found: String, promise: String, holds: Option<bool>) {
        println!("  {what}: {found}");
        self.0.push(Row {
            what,
            found,
            promise,
            holds,
        });
    }

    /// Prints the table, and fails if a promise is broken.
    pub(super) fn finish(self) -> Result<()> {
        let broken = self.0.iter().filter(|row| row.holds == Some(false)).count();
        let verdict = |holds: Option<bool>| match holds {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        let rows: Vec<_> = self
            .0
            .into_iter()
            .map(|row| {
                (
                    row.what,
                    vec![row.found, row.promise, verdict(row.holds).to_owned()],
                )
            })
            .collect();
        println!();
        print(&["found", "promised", "holds"], &rows);
        ensure!(broken == 0, "{broken} promises are broken");
        Ok(())
    }
}

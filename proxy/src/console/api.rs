//! The data of the page, for programs: as JSON, or only the rows as CSV or NDJSON.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use axum::{
    Json,
    extract::{Query, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Shared, access, counted::Counted, head::Head, machine::Machine, matching::Match,
    recount::Period, view::View,
};
use crate::{evidence, queue::Error};

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
    Ndjson,
}

/// The query of a route.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    format: Format,
    /// `1h`, `24h` or `7d`.
    period: Option<String>,
}

pub(super) async fn head(State(shared): State<Arc<Shared>>) -> Response {
    Json(Head::of(&shared).await).into_response()
}

pub(super) async fn machine(State(shared): State<Arc<Shared>>) -> Response {
    Json(Machine::read(&shared).await).into_response()
}

pub(super) async fn trouble(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    match shared.trouble().await {
        Ok(trouble) => wanted.answer(&*trouble, trouble.listed(), "trouble"),
        Err(error) => unreadable(&error),
    }
}

pub(super) async fn money(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    match shared.money().await {
        Ok(money) => wanted.answer(&*money, money.newest.iter(), "money"),
        Err(error) => unreadable(&error),
    }
}

pub(super) async fn changes(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    match shared.changes().await {
        Ok(changes) => wanted.answer(&*changes, changes.changes.iter(), "changes"),
        Err(error) => unreadable(&error),
    }
}

pub(super) async fn counted(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let period = wanted.period();
    match shared.recount(period).await {
        Ok(recount) => {
            let counted = Counted::of(&recount, period);
            wanted.answer(&counted, counted.missing.iter(), "counted")
        }
        Err(error) => unreadable(&error),
    }
}

pub(super) async fn match_keys(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let period = wanted.period();
    match shared.recount(period).await {
        Ok(recount) => Json(Match::of(&recount, period)).into_response(),
        Err(error) => unreadable(&error),
    }
}

/// The query of a search.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    id: String,
}

pub(super) async fn why(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    match evidence::why(&shared.app, asked.id).await {
        Ok(chain) => Json(chain).into_response(),
        Err(error) => unreadable(&error),
    }
}

pub(super) async fn live(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<Wanted>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let view = View::of(query.as_deref(), &headers);
    let latest = shared
        .live
        .latest(&view, shared.app.intake.clock().day_ms());
    wanted.answer(&latest, latest.events.iter(), "live")
}

impl Wanted {
    fn period(&self) -> Period {
        Period::named(self.period.as_deref())
    }

    /// Answers with all data as JSON, or with only the rows as the lines of a file.
    fn answer<'a, R: Serialize + 'a>(
        &self,
        whole: &impl Serialize,
        rows: impl Iterator<Item = &'a R>,
        name: &str,
    ) -> Response {
        let (kind, text, ending) = match self.format {
            Format::Json => return Json(whole).into_response(),
            Format::Csv => ("text/csv; charset=utf-8", csv(rows), "csv"),
            Format::Ndjson => ("application/x-ndjson", ndjson(rows), "ndjson"),
        };
        let file = format!("attachment; filename=\"duet-{name}.{ending}\"");
        let headers = [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, file),
        ];
        (headers, text).into_response()
    }
}

fn unreadable(error: &Error) -> Response {
    tracing::error!(error = %error, "the console cannot read the store");
    access::error(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "the store cannot be read at the moment; try again later",
    )
}

fn ndjson<'a, R: Serialize + 'a>(rows: impl Iterator<Item = &'a R>) -> String {
    let lines = rows.filter_map(|row| serde_json::to_string(row).ok());
    lines.fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// Returns the rows as a table, with the names of all fields in its first line.
fn csv<'a, R: Serialize + 'a>(rows: impl Iterator<Item = &'a R>) -> String {
    let rows: Vec<_> = rows.map(flat).collect();
    let names: BTreeSet<_> = rows.iter().flat_map(Map::keys).collect();
    let mut text = line(names.iter().map(|name| (*name).clone()));
    for row in &rows {
        text.push_str(&line(names.iter().map(|name| cell(row.get(*name)))));
    }
    text
}

/// Returns the fields of a row. The name of a field in a nested object has the object's name in front, with a dot between the
/// names.
fn flat(row: &impl Serialize) -> Map<String, Value> {
    let mut fields = Map::new();
    let Ok(Value::Object(object)) = serde_json::to_value(row) else {
        return fields;
    };
    for (name, value) in object {
        match value {
            Value::Object(inner) => fields.extend(
                inner
                    .into_iter()
                    .map(|(key, value)| (format!("{name}.{key}"), value)),
            ),
            value => {
                fields.insert(name, value);
            }
        }
    }
    fields
}

/// Returns a value as a cell of CSV. A spreadsheet program would run a text that begins like a formula, so such a text gets an
/// apostrophe in front.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            format!("'{text}")
        }
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells = cells.map(|cell| {
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    });
    let cells: Vec<_> = cells.collect();
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_quotes_what_has_to_be_quoted_and_runs_no_formula() {
        let rows = [
            json!({ "a": "x,\"y\"", "b": { "c": 5 }, "d": null }),
            json!({ "a": "=1+1", "e": [1] }),
        ];
        assert_eq!(
            csv(rows.iter()),
            "a,b.c,d,e\r\n\"x,\"\"y\"\"\",5,,\r\n'=1+1,,,[1]\r\n"
        );
        assert_eq!(ndjson(rows.iter()).lines().count(), 2);
    }
}

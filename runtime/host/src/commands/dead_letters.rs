//! `socar dead-letters`: lists, redrives and discards the events that could not be delivered.
//!
//! It asks the running host, or opens the event log when none runs ([`letters`]). `list` prints a table on a terminal,
//! and one JSON object a line anywhere else. An operation on several letters does all that it can, and reports at the
//! end what could not be done.

mod letters;

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use comfy_table::{Table, presets};
use serde_json::Value;

use crate::cli::{DeadLettersAction, DeadLettersOptions};
use crate::output::{print_error_line, print_line, print_result};
use event_log::EntryId;
use letters::{LetterOperation, Letters};

/// Runs the operation.
///
/// # Errors
/// When the state cannot be opened, the host does not answer, a dead letter does not exist, or a list cannot be written.
pub async fn run(options: &DeadLettersOptions) -> anyhow::Result<()> {
    let letters = Letters::find(options)?;
    match &options.action {
        DeadLettersAction::List => list(&letters.list().await?)?,
        DeadLettersAction::Show { id } => {
            let letter = letters.show(parse(id)?).await?;
            print_result(letter.with_context(|| unknown(id))?)?;
        }
        DeadLettersAction::Redrive { ids, all: false } => {
            each(&letters, LetterOperation::Redrive, ids).await?;
        }
        DeadLettersAction::Redrive { all: true, .. } => redrive_all(&letters).await?,
        DeadLettersAction::Discard { ids } => {
            each(&letters, LetterOperation::Discard, ids).await?;
        }
    }
    Ok(())
}

/// Redrives every letter. A letter that another operator has taken meanwhile needs no report.
async fn redrive_all(letters: &Letters) -> anyhow::Result<()> {
    let mut failures = Vec::new();
    for letter in letters.list().await? {
        let id = letter["id"].as_str().unwrap_or_default();
        match letters.act(LetterOperation::Redrive, parse(id)?).await {
            Ok(true) => print_line(id),
            Ok(false) => {}
            Err(error) => failures.push(format!("{id}: {error:#}")),
        }
    }
    report(&failures)
}

async fn each(letters: &Letters, operation: LetterOperation, ids: &[String]) -> anyhow::Result<()> {
    let parsed: Vec<EntryId> = ids.iter().map(|id| parse(id)).collect::<Result<_, _>>()?;
    let mut failures = Vec::new();
    for (id, entry) in ids.iter().zip(parsed) {
        match letters.act(operation, entry).await {
            Ok(true) => print_line(id),
            Ok(false) => failures.push(unknown(id)),
            Err(error) => failures.push(format!("{id}: {error:#}")),
        }
    }
    report(&failures)
}

/// What could not be done, after everything else was.
fn report(failures: &[String]) -> anyhow::Result<()> {
    match failures.is_empty() {
        true => Ok(()),
        false => bail!("{}", failures.join("\n")),
    }
}

fn unknown(id: &str) -> String {
    format!("there is no dead letter {id}")
}

fn parse(id: &str) -> anyhow::Result<EntryId> {
    id.parse().with_context(|| {
        format!("`{id}` is not the id of a dead letter; `socar dead-letters list` prints the ids")
    })
}

fn list(letters: &[Value]) -> anyhow::Result<()> {
    if letters.is_empty() {
        print_error_line("there are no dead letters");
        Ok(())
    } else if std::io::stdout().is_terminal() {
        print_result(table(letters))
    } else {
        letters.iter().try_for_each(print_result)
    }
}

fn table(letters: &[Value]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["ID", "GROUP", "STREAM", "ATTEMPTS", "ERROR"]);
    for letter in letters {
        let text = |name: &str| match &letter[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        table.add_row(["id", "group", "stream", "attempts", "error"].map(text));
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_letter() {
        let letter = json!({
            "id": "5-0",
            "group": "message",
            "stream": "socar.reservation",
            "attempts": 3,
            "error": "rejected: why",
            "event": "not shown",
        });
        let table = table(&[letter.clone(), letter]).to_string();
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let row = [
            "5-0",
            "message",
            "socar.reservation",
            "3",
            "rejected:",
            "why",
        ];
        assert_eq!(lines[0], ["ID", "GROUP", "STREAM", "ATTEMPTS", "ERROR"]);
        assert_eq!(lines[1..], [row, row]);
    }
}

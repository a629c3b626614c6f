//! Reading query strings: filters, sort order and the parameter of a finder.

use crate::{
    column::Column,
    list_query::{ListQuery, SortKey},
    search_text::SearchText,
};
use kit::http::{
    Problem, Request,
    paging::{Page, parameters},
};
use std::str::FromStr;

/// The parameter with the text of a search.
const SEARCH: &str = "q";

/// The query of a list: every parameter that is neither about paging nor the search is a filter.
pub(super) fn list_query(page: &Page) -> Result<ListQuery, Problem> {
    let mut filters = Vec::new();
    let mut search = None;
    for (name, text) in page.filters() {
        if name == SEARCH {
            match search {
                None => search = Some(SearchText::parse(text)),
                Some(_) => return Err(Problem::given_twice(name)),
            }
            continue;
        }
        let column = Column::named(name).ok_or_else(|| unknown_parameter(name))?;
        if filters.iter().any(|(other, _)| *other == column) {
            return Err(Problem::given_twice(name));
        }
        let value = column
            .parse(text)
            .map_err(|expected| Problem::bad_query(name, expected))?;
        filters.push((column, value));
    }
    let order = page.sort.iter().filter_map(|sort| {
        Some(SortKey {
            column: Column::named(sort.column)?,
            descending: sort.descending,
        })
    });
    Ok(ListQuery {
        filters,
        search: search.flatten(),
        order: order.collect(),
        offset: page.offset(),
        size: page.size,
    })
}

/// The one parameter of a finder: an id.
pub(super) fn id_parameter<I: FromStr>(request: &Request, column: Column) -> Result<I, Problem> {
    let mut values = Vec::new();
    for (name, value) in parameters(request) {
        if name != column.name() {
            return Err(unknown_parameter(&name));
        }
        values.push(value);
    }
    let id = match &values[..] {
        [_, _, ..] => return Err(Problem::given_twice(column.name())),
        values => values.first().and_then(|value| value.parse().ok()),
    };
    id.ok_or_else(|| {
        let expected = format!("{column} must be given, as a whole number from 1");
        Problem::bad_query(column.name(), expected)
    })
}

/// Checks that a resource without parameters got none.
pub(super) fn reject_parameters(request: &Request) -> Result<(), Problem> {
    match parameters(request).next() {
        Some((name, _)) => Err(unknown_parameter(&name)),
        None => Ok(()),
    }
}

fn unknown_parameter(name: &str) -> Problem {
    Problem::bad_query(
        name,
        format!("`{name}` is not a parameter of this resource"),
    )
}

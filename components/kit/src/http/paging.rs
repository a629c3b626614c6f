//! The query parameters `page`, `size` and `sort`, as Spring Data REST reads them.

use super::{message::Request, problem::Problem};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Number of rows of a page without `size`.
const DEFAULT_SIZE: u64 = 20;
/// Maximum number of rows of a page.
const MAX_SIZE: u64 = 1000;

/// The page that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Number of the page, from 0.
    pub number: u64,
    /// Maximum number of rows, from 1 to 1000.
    pub size: u64,
    /// The order, the most significant column first. Equal rows are ordered by id.
    pub sort: Vec<Sort>,
    /// The other query parameters, which the links between pages repeat.
    filters: Vec<(String, String)>,
}

/// One column to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// One of the sortable columns of the list.
    pub column: &'static str,
    /// Whether the largest value comes first.
    pub descending: bool,
}

impl Page {
    /// Reads the query of a list without filters. `columns` are the sortable columns.
    ///
    /// # Errors
    ///
    /// 400 that names the parameter and its valid values.
    pub fn without_filters(request: &Request, columns: &[&'static str]) -> Result<Self, Problem> {
        let page = Self::with_filters(request, columns)?;
        if let Some((name, _)) = page.filters.first() {
            let right =
                format!("`{name}` is not a parameter of this list: it has page, size and sort");
            return Err(Problem::bad_query(name, right));
        }
        Ok(page)
    }

    /// Reads the query of a list whose other parameters are filters. `columns` are the sortable columns.
    ///
    /// # Errors
    ///
    /// 400 that names the parameter and its valid values.
    pub fn with_filters(request: &Request, columns: &[&'static str]) -> Result<Self, Problem> {
        check_encoding(request)?;
        let mut page = Self {
            number: 0,
            size: DEFAULT_SIZE,
            sort: Vec::new(),
            filters: Vec::new(),
        };
        let mut once = Vec::new();
        for (name, value) in parameters(request) {
            if ["page", "size"].contains(&name.as_ref()) {
                if once.contains(&name) {
                    return Err(Problem::given_twice(&name));
                }
                once.push(name.clone());
            }
            match name.as_ref() {
                "page" => page.number = number("page", &value, 0, u64::MAX)?,
                "size" => page.size = number("size", &value, 1, MAX_SIZE)?,
                "sort" => {
                    for sort in sort(&value, columns)? {
                        page.add(sort)?;
                    }
                }
                _ => page.filters.push((name.into_owned(), value.into_owned())),
            }
        }
        Ok(page)
    }

    /// Adds a column to the order. Each column occurs once, so that the cost of a comparison is bounded.
    fn add(&mut self, sort: Sort) -> Result<(), Problem> {
        if self.sort.iter().any(|other| other.column == sort.column) {
            let right = format!("`{}` occurs twice in sort; name a column once", sort.column);
            return Err(Problem::bad_query("sort", right));
        }
        self.sort.push(sort);
        Ok(())
    }

    /// Number of rows before this page.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.number.saturating_mul(self.size)
    }

    /// The parameters other than `page`, `size` and `sort`.
    pub fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.filters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The query string of page `number` of the same list.
    pub(super) fn query(&self, number: u64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filters);
        query.append_pair("page", &number.to_string());
        query.append_pair("size", &self.size.to_string());
        for sort in &self.sort {
            let direction = if sort.descending { "desc" } else { "asc" };
            query.append_pair("sort", &format!("{},{direction}", sort.column));
        }
        query.finish()
    }
}

/// Checks that every parameter is UTF-8 and every `%` begins an encoded byte. A decoder that replaces what is wrong would
/// look for another text than the client has sent.
fn check_encoding(request: &Request) -> Result<(), Problem> {
    let query = request.uri().query().unwrap_or_default();
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if let Some(wrong) = [name, value].into_iter().find(|text| !is_encoded(text)) {
            let name = percent_decode_str(name)
                .decode_utf8()
                .unwrap_or(name.into());
            let right = format!(
                "`{wrong}` is not UTF-8 in percent-encoding: each byte is % and two hexadecimal digits"
            );
            return Err(Problem::bad_query(&name, right));
        }
    }
    Ok(())
}

fn is_encoded(text: &str) -> bool {
    let is_byte = |encoded: &str| {
        let digits = encoded.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    text.split('%').skip(1).all(is_byte) && percent_decode_str(text).decode_utf8().is_ok()
}

/// The decoded query parameters.
pub fn parameters(request: &Request) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64, Problem> {
    value
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| {
            Problem::bad_query(
                name,
                format!("{name} must be a whole number from {least} to {most}"),
            )
        })
}

/// Parses one `sort`: one or several columns, then an optional direction, separated by commas. An empty value, as a
/// form sends it without a selection, asks for no order.
fn sort(value: &str, columns: &[&'static str]) -> Result<Vec<Sort>, Problem> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let mut names: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let descending = match names.last().map(|last| last.to_ascii_lowercase()) {
        Some(last) if last == "asc" || last == "desc" => {
            names.pop();
            last == "desc"
        }
        _ => false,
    };
    let column = |name: &str| {
        let known = columns.iter().find(|column| **column == name);
        known
            .map(|column| Sort { column, descending })
            .ok_or_else(|| {
                let columns = columns.join(", ");
                Problem::bad_query(
                    "sort",
                    format!("cannot sort by `{name}`; the columns are {columns}"),
                )
            })
    };
    // A direction without a column is refused like an unknown column.
    if names.is_empty() {
        names.push(value);
    }
    names.into_iter().map(column).collect()
}

#[cfg(test)]
mod tests;

//! Suggests known names for an unknown one.

/// The remedy for an unknown name: the most similar known name, or the list of all known names, or `otherwise` if there
/// are none.
pub(crate) fn suggest<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match most_similar(name, &known) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None if known.is_empty() => otherwise.to_owned(),
        None => format!("known here: {}", quoted_list(&known)),
    }
}

/// Whether `name` is probably a misspelling of `known`: at most a third of its characters, and at least one, may differ.
pub(crate) fn is_typo(name: &str, known: &str) -> bool {
    edit_distance(name, known) <= (name.chars().count() / 3).max(1)
}

/// Whether two names differ by one character that is changed, added, removed or swapped with its neighbour. Names of the
/// same kind, such as `v1` and `v2`, must be longer than that.
pub(crate) fn is_misspelt(name: &str, other: &str) -> bool {
    name.chars().count() > 8 && edit_distance(name, other) == 1
}

fn quoted_list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn most_similar<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .filter(|candidate| is_typo(name, candidate))
        .min_by_key(|candidate| edit_distance(name, candidate))
        .copied()
}

/// The restricted Damerau-Levenshtein distance, ignoring case: the number of characters that are changed, added, removed
/// or swapped with their neighbour.
fn edit_distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().collect();
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let changed = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_suggests_the_most_similar_name() {
        for (typed, meant) in [
            ("compnent", "component"),
            ("nmae", "name"),
            ("key_value_store", "key_value_stores"),
            ("Source", "source"),
        ] {
            assert_eq!(
                most_similar(typed, &["component", "name", "key_value_stores", "source"]),
                Some(meant)
            );
        }
    }

    #[test]
    fn a_different_word_suggests_all_known_names() {
        assert_eq!(
            most_similar("colour", &["component", "name", "source"]),
            None
        );
        assert_eq!(
            suggest("colour", ["name", "source"], ""),
            "known here: `name`, `source`"
        );
    }
}

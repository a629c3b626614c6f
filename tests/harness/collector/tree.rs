//! A trace as text: one line for each span, below that of its parent.

use super::CollectedSpan;

/// The spans of one trace, each with its kind, its name and what `note` says of it. Spans with the same parent are in
/// alphabetical order: the order of their ends depends on the machine.
pub fn tree(spans: &[CollectedSpan], note: impl Fn(&CollectedSpan) -> String + Copy) -> String {
    let is_root = |span: &&CollectedSpan| !spans.iter().any(|other| other.is_parent_of(span));
    let roots: Vec<_> = spans.iter().filter(is_root).collect();
    lines(&roots, spans, note).concat()
}

/// The lines of these spans and their descendants.
fn lines(
    of: &[&CollectedSpan],
    spans: &[CollectedSpan],
    note: impl Fn(&CollectedSpan) -> String + Copy,
) -> Vec<String> {
    let mut blocks: Vec<String> = of
        .iter()
        .map(|span| {
            let CollectedSpan { kind, name, .. } = span;
            let line = format!("{kind} {name} {}", note(span));
            let children = spans.iter().filter(|child| span.is_parent_of(child));
            let children: Vec<_> = children.collect();
            let children = lines(&children, spans, note).concat();
            let indented = children.lines().map(|line| format!("  {line}\n"));
            format!("{}\n{}", line.trim_end(), indented.collect::<String>())
        })
        .collect();
    blocks.sort();
    blocks
}

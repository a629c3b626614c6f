//! Entity tags: the fingerprint of a content without a version, and the conditions in `If-Match` and `If-None-Match`.

/// The 64-bit FNV-1a hash of `content`.
///
/// It distinguishes two versions of one resource. It is no protection against deliberate collisions.
/// A `const fn`, so that the entity tag of a compiled-in file costs no time at run time.
#[must_use]
pub const fn fingerprint(content: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = OFFSET_BASIS;
    let mut position = 0;
    while position < content.len() {
        hash = (hash ^ content[position] as u64).wrapping_mul(PRIME);
        position += 1;
    }
    hash
}

/// What the conditions in `If-Match` and `If-None-Match` (RFC 9110, 13.1) mean for a resource that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// Every condition is met.
    Met,
    /// `If-Match` does not list the entity tag of the resource.
    IfMatchFailed,
    /// `If-None-Match` lists it.
    IfNoneMatchFailed,
}

/// Evaluates the conditions of a request, given as the lines of each header, for a resource with the entity tag `tag`.
/// A header without a line is a condition that is always met.
///
/// Weak and strong tags are equal here. What is no entity tag (RFC 9110, 8.8.3) matches nothing, and does not
/// keep the others from matching; `*` stands alone.
#[must_use]
pub fn evaluate<'a>(
    if_match: impl IntoIterator<Item = &'a [u8]>,
    if_none_match: impl IntoIterator<Item = &'a [u8]>,
    tag: &[u8],
) -> Evaluation {
    if lists(if_match, tag) == Some(false) {
        return Evaluation::IfMatchFailed;
    }
    match lists(if_none_match, tag) {
        Some(true) => Evaluation::IfNoneMatchFailed,
        _ => Evaluation::Met,
    }
}

/// Whether the lines of a header list an entity tag; `None` without a line.
fn lists<'a>(lines: impl IntoIterator<Item = &'a [u8]>, tag: &[u8]) -> Option<bool> {
    let mut lines = lines.into_iter();
    let first = lines.next()?;
    let Some(second) = lines.next() else {
        return Some(first.trim_ascii() == b"*" || contains(first, tag));
    };
    let mut all = [first, second].into_iter().chain(lines);
    Some(all.any(|line| contains(line, tag)))
}

/// Whether a list contains an entity tag.
fn contains(list: &[u8], tag: &[u8]) -> bool {
    opaque_tags(list).any(|opaque| Some(opaque) == opaque_tag(tag))
}

/// The opaque parts of the entity tags in a list, quotes included.
fn opaque_tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    core::iter::from_fn(move || {
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return None;
            }
            let (found, behind) = next_element(rest);
            rest = behind;
            if found.is_some() {
                return found;
            }
        }
    })
}

/// The first element of a list if it is an entity tag, and the list behind it.
fn next_element(list: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let start = list.strip_prefix(b"W/").unwrap_or(list);
    if let Some(length) = opaque_length(start) {
        let (opaque, behind) = start.split_at(length);
        let behind = behind.trim_ascii_start();
        match behind.split_first() {
            None => return (Some(opaque), behind),
            Some((b',', behind)) => return (Some(opaque), behind),
            Some(_) => {}
        }
    }
    let end = list.iter().position(|byte| *byte == b',');
    (None, end.map_or(&[], |end| &list[end + 1..]))
}

/// The length of the quoted text at the beginning, if there is one.
fn opaque_length(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| *byte == b'"')?;
    let is_allowed = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..=0xff);
    inner[..end].iter().all(is_allowed).then_some(end + 2)
}

/// The opaque part of one entity tag.
fn opaque_tag(tag: &[u8]) -> Option<&[u8]> {
    let start = tag.strip_prefix(b"W/").unwrap_or(tag);
    (opaque_length(start)? == start.len()).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bolero::one_value_of;
    use random_inputs::fragments;

    fn is_listed(list: &[u8], tag: &[u8]) -> bool {
        lists([list], tag) == Some(true)
    }

    /// The test vectors of the specification, draft-eastlake-fnv.
    #[test]
    fn the_fingerprint_is_fnv_1a() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_tag_is_found_in_a_list() {
        for list in [
            "*",
            " * ",
            "\"3\"",
            "W/\"3\"",
            "\"1\", \"3\"",
            "\"1\",W/\"3\" , \"4\"",
            ",, \"3\"",
            "\"a,b\", \"3\"",
            "3, \"3\"",
            "\"4, \"3\"",
        ] {
            assert!(is_listed(list.as_bytes(), b"\"3\""), "{list}");
        }
        assert!(is_listed(b"\"\xff\", \"3\"", b"\"3\""));
        assert!(is_listed(b"\"3\"", b"W/\"3\""));
    }

    #[test]
    fn all_lines_of_a_header_are_one_list() {
        let listed = |lines: &[&'static [u8]]| lists(lines.iter().copied(), b"\"3\"");
        assert_eq!(listed(&[]), None);
        assert_eq!(listed(&[b"\"1\"", b"\"2\", W/\"3\""]), Some(true));
        assert_eq!(listed(&[b"\"\xff", b"", b"\"3\""]), Some(true));
        assert_eq!(listed(&[b"\"1\"", b"\"2\""]), Some(false));
        assert_eq!(listed(&[b"*", b"\"1\""]), Some(false));
    }

    #[test]
    fn if_match_is_evaluated_before_if_none_match() {
        let evaluated = |if_match: Option<&'static [u8]>, if_none_match: Option<&'static [u8]>| {
            evaluate(if_match, if_none_match, b"\"3\"")
        };
        assert_eq!(evaluated(None, None), Evaluation::Met);
        assert_eq!(evaluated(Some(b"\"3\""), Some(b"\"4\"")), Evaluation::Met);
        assert_eq!(
            evaluated(Some(b"\"4\""), Some(b"*")),
            Evaluation::IfMatchFailed
        );
        assert_eq!(
            evaluated(Some(b"*"), Some(b"W/\"3\"")),
            Evaluation::IfNoneMatchFailed
        );
    }

    #[test]
    fn what_is_no_entity_tag_matches_nothing() {
        for list in [
            "",
            "3",
            "\"3",
            "3\"",
            "w/\"3\"",
            "W/W/\"3\"",
            "\"0\",*",
            "*, *",
            "\"33\"",
            "\"3\"x",
            "\"a,\"3\"\"",
            "W/ \"3\"",
            "\" 3\"",
            "'3'",
        ] {
            assert!(!is_listed(list.as_bytes(), b"\"3\""), "{list}");
        }
    }

    /// Any list is read, and a tag that is an element of its own is found in it.
    #[test]
    fn any_list_of_entity_tags_is_read() {
        let list = || fragments(["W/", "\"", "*", ",", " ", "a", "\"3\"", "w/"]);
        let tag = one_value_of(["\"\"", "\"3\"", "W/\"3\"", "\"3-en\"", "W/\"0az\""]);
        bolero::check!()
            .with_generator((list(), tag, list()))
            .for_each(|(before, tag, after)| {
                let _ = is_listed(before, tag.as_bytes());
                let _ = is_listed(tag.as_bytes(), before);
                let list = [b"\"other\" , ", tag.as_bytes(), b", ", after].concat();
                assert!(is_listed(&list, tag.as_bytes()), "{}", list.escape_ascii());
            });
    }
}

//! The comments, the strings and the prose of a text, with their lines.

/// A piece of text and the number of its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub line: usize,
    pub text: String,
}

/// The lines of a Markdown page, without code blocks.
pub fn prose(text: &str) -> Vec<Fragment> {
    let mut is_code = false;
    let lines = lines(1, text).into_iter();
    let prose = lines.filter(|fragment| {
        let is_fence = fragment.text.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    prose.collect()
}

/// The lines of all comments of a source text.
pub fn comments(text: &str, line_comment: &str) -> Vec<Fragment> {
    let parts = parts(text, line_comment).into_iter();
    let comments = parts.filter_map(|part| match part {
        Part::Comment(fragment) => Some(lines(fragment.line, &fragment.text)),
        Part::String(_) => None,
    });
    comments.flatten().collect()
}

/// The lines of a text, the first of which has this number.
fn lines(first: usize, text: &str) -> Vec<Fragment> {
    let lines = (first..).zip(text.lines()).map(|(line, text)| Fragment {
        line,
        text: text.to_owned(),
    });
    lines.collect()
}

/// The string literals of Rust code.
pub fn strings(text: &str) -> Vec<Fragment> {
    let parts = parts(text, "//").into_iter();
    let strings = parts.filter_map(|part| match part {
        Part::String(fragment) => Some(fragment),
        Part::Comment(_) => None,
    });
    strings.collect()
}

enum Part {
    Comment(Fragment),
    String(Fragment),
}

/// Splits source text at comments and strings.
fn parts(text: &str, line_comment: &str) -> Vec<Part> {
    let mut parts = vec![];
    let mut rest = text;
    let mut previous = ' ';
    let line_at = |rest: &str| text[..text.len() - rest.len()].matches('\n').count() + 1;
    while let Some(letter) = rest.chars().next() {
        let (length, is_comment) = if rest.starts_with(line_comment) {
            (rest.find('\n').unwrap_or(rest.len()), true)
        } else if rest.starts_with("/*") && line_comment == "//" {
            (block_comment(rest), true)
        } else if let Some(length) = string(rest, previous) {
            (length, false)
        } else {
            previous = letter;
            rest = &rest[letter.len_utf8()..];
            continue;
        };
        let fragment = Fragment {
            line: line_at(rest),
            text: rest[..length].to_owned(),
        };
        parts.push(if is_comment {
            Part::Comment(fragment)
        } else {
            Part::String(fragment)
        });
        previous = ' ';
        rest = &rest[length..];
    }
    parts
}

/// The length of a block comment, which may contain others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    for (index, _) in text.char_indices() {
        let rest = &text[index..];
        if rest.starts_with("/*") {
            depth += 1;
        } else if rest.starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return index + 2;
            }
        }
    }
    text.len()
}

/// The length of the string literal that the text begins with: in double quotes, with escapes, or raw.
fn string(text: &str, previous: char) -> Option<usize> {
    let character = ["'\"'", "'\\\"'"]
        .into_iter()
        .find(|quote| text.starts_with(quote));
    if let Some(character) = character {
        return Some(character.len());
    }
    if let Some(raw) = text.strip_prefix('r')
        && !previous.is_alphanumeric()
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let content = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = content
            .find(&end)
            .map_or(content.len(), |index| index + end.len());
        return Some(1 + hashes + 1 + length);
    }
    let content = text.strip_prefix('"')?;
    let mut is_escaped = false;
    for (index, letter) in content.char_indices() {
        match letter {
            '"' if !is_escaped => return Some(index + 2),
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    Some(text.len())
}

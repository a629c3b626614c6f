//! The text of a search: a part of a car's name, type or number.
//!
//! A car matches if its name, its type or its number contains the text. ASCII letters match in both cases. Names and types
//! are stored in normalisation form C, and so is the text.

use kit::text::normalized;

/// The length of the longest grams that the index stores, in characters.
pub const MAX_GRAM: usize = 3;

/// The most grams that a search looks up. The rows that have all of them are compared with the whole text.
const MAX_LOOKUPS: usize = 4;

/// Stands for a control character, which no name has; the index uses another one to separate its texts.
const UNMATCHABLE: char = '\u{7f}';

/// The text of a search, in the form in which the index stores texts. It is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchText(String);

impl SearchText {
    /// The text that a client sends, without the white space around it; `None` if nothing remains, which every car matches.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = normalized(text);
        let text = text.trim().to_ascii_lowercase();
        (!text.is_empty()).then(|| Self(text.replace(char::is_control, &UNMATCHABLE.to_string())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the index has the text itself as one gram.
    #[must_use]
    pub fn is_gram(&self) -> bool {
        self.0.chars().count() <= MAX_GRAM
    }

    /// The grams that a text must have to contain this one: the text itself if it is a gram, otherwise up to four different
    /// parts of three characters that are spread over it.
    #[must_use]
    pub fn grams(&self) -> Vec<String> {
        let characters: Vec<char> = self.0.chars().collect();
        if characters.len() <= MAX_GRAM {
            return vec![self.0.clone()];
        }
        let last = characters.len() - MAX_GRAM;
        let mut grams: Vec<String> = Vec::new();
        for lookup in 0..MAX_LOOKUPS {
            let start = last * lookup / (MAX_LOOKUPS - 1);
            let gram = characters[start..start + MAX_GRAM].iter().collect();
            if !grams.contains(&gram) {
                grams.push(gram);
            }
        }
        grams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> SearchText {
        SearchText::parse(text).unwrap()
    }

    #[test]
    fn a_text_is_normalised_trimmed_and_without_case() {
        assert_eq!(
            text(" \u{1109}\u{1169}\u{1102}\u{1161} EV").as_str(),
            "소나 ev"
        );
        assert_eq!(text("Ä").as_str(), "Ä");
        assert_eq!(SearchText::parse(" \t"), None);
        assert_eq!(text("a\nb").as_str(), "a\u{7f}b");
    }

    #[test]
    fn a_short_text_is_one_gram_and_a_long_one_has_some() {
        assert_eq!(text("기").grams(), ["기"]);
        assert_eq!(text("kia").grams(), ["kia"]);
        assert_eq!(text("benz").grams(), ["ben", "enz"]);
        assert_eq!(text("aaaaaa").grams(), ["aaa"]);
        assert_eq!(text("mercedes-benz").grams(), ["mer", "ced", "es-", "enz"]);
    }
}

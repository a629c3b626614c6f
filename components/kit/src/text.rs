//! Texts of clients: one spelling of each, and nothing in them that misleads a reader.

use std::str::Chars;
use unicode_normalization::UnicodeNormalization as _;

/// The most tag characters of a region in a flag: a country and a subdivision.
const MAX_REGION: usize = 6;

/// The text in normalisation form C (Unicode Standard Annex 15). A Mac and other keyboards compose Hangul and accents
/// differently; in this form, texts that look the same are the same.
#[must_use]
pub fn normalized(text: &str) -> String {
    text.nfc().collect()
}

/// Whether a text has something to see, or is empty, and has no control characters: neither those of terminals and
/// lines nor those that change the direction of writing, which would turn the sentence around the text. Nor has it
/// noncharacters, which systems may drop or refuse, or tag characters outside of a flag, which hide a text.
#[must_use]
pub fn is_printable(text: &str) -> bool {
    let is_refused = |character| is_control(character) || is_noncharacter(character);
    !text.chars().any(is_refused)
        && !has_stray_tag(text)
        && (text.is_empty() || text.chars().any(is_visible))
}

fn is_control(character: char) -> bool {
    let is_line_end = matches!(character, '\u{2028}' | '\u{2029}');
    let is_direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || is_line_end || is_direction
}

/// Whether a character is reserved for the internal use of programs (Noncharacter_Code_Point).
fn is_noncharacter(character: char) -> bool {
    matches!(character, '\u{fdd0}'..='\u{fdef}') || u32::from(character) & 0xfffe == 0xfffe
}

/// Whether a text has a tag character outside of the flag of a region (Unicode Technical Standard 51, ED-14a).
fn has_stray_tag(text: &str) -> bool {
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\u{e0000}'..='\u{e007f}' => return true,
            '\u{1f3f4}' => rest = after_region(&rest).unwrap_or(rest),
            _ => {}
        }
    }
    false
}

/// What follows the region of a flag, such as `gbsct`, and its end; `None` without a region.
fn after_region<'a>(text: &Chars<'a>) -> Option<Chars<'a>> {
    let mut rest = text.clone();
    for length in 0..=MAX_REGION {
        match rest.next()? {
            '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}' => {}
            '\u{e007f}' if length > 0 => return Some(rest),
            _ => return None,
        }
    }
    None
}

/// Whether a character has a shape of its own: it is neither white space nor ignorable (Default_Ignorable_Code_Point),
/// nor the empty Braille pattern, nor one of the marks that only annotate or join others.
fn is_visible(character: char) -> bool {
    let is_ignorable = matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{13440}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    !character.is_whitespace() && !is_ignorable
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hangul_of_every_keyboard_is_one_text() {
        let decomposed = "\u{1109}\u{1169}\u{1102}\u{1161}\u{1110}\u{1161}";
        assert_eq!(normalized(decomposed), "소나타");
        assert_eq!(normalized("소나타"), "소나타");
    }

    #[test]
    fn texts_of_any_script_are_printable() {
        for text in [
            "",
            "Kia",
            "소나타",
            "أحمد",
            "می\u{200c}خواهم",
            "👨\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}",
            "日本",
            "a\u{200e}b",
            "🏴\u{e0067}\u{e0062}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🏴",
            "葛\u{e0100}",
        ] {
            assert!(is_printable(text), "{text:?}");
        }
    }

    #[test]
    fn invisible_and_turning_texts_are_not_printable() {
        for text in [
            "\u{200b}\u{200b}",
            "\u{3164}",
            "\u{2800}",
            "\u{ad}",
            "\u{feff} \u{200d}",
            "\u{fff9}\u{fffb}",
            "\u{1d159}",
            "Benz\u{202e}gnp.exe",
            "a\u{2066}b",
            "a\u{2028}b",
            "a\u{0}b",
            "a\tb",
            "\u{85}",
            "Kia\u{fdd0}",
            "Kia\u{fdef}",
            "Kia\u{fffe}",
            "Kia\u{ffff}",
            "Kia\u{1fffe}",
            "Kia\u{10ffff}",
            "Kia\u{e0001}",
            "Kia\u{e0020}\u{e0067}\u{e007f}",
            "🏴\u{e0067}\u{e0062}",
            "🏴\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e007f}\u{e0067}",
            "🏴\u{e0068}\u{e0069}\u{e0064}\u{e0064}\u{e0065}\u{e006e}\u{e0074}\u{e007f}",
            "🏴 \u{e0067}\u{e0062}\u{e007f}",
        ] {
            assert!(!is_printable(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_normalized_text_stays_as_it_is(text: String) {
            let once = normalized(&text);
            prop_assert_eq!(normalized(&once), once);
        }
    }
}

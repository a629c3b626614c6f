//! `{{ variable }}` in a value of the manifest: a template, as in Spin.

/// A text with references to variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// When a reference is malformed; the error is the problem in words.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                return Err("`{{` is never closed");
            };
            if name.trim().is_empty() {
                return Err("there is no name between `{{` and `}}`");
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Variable(name.trim().to_owned()));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self { parts })
    }

    /// The names of the variables that it refers to.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Replaces each reference by the value of its variable.
    pub(crate) fn render<'a>(&'a self, value: impl Fn(&'a str) -> &'a str) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Variable(name) => value(name),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, &'static str> {
        Template::parse(text)
            .map(|template| template.render(|name| if name == "a" { "1" } else { "2" }))
    }

    #[test]
    fn references_are_replaced_and_other_text_is_kept() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{{ a }}", "1"),
            ("{{a}}-{{ b }}/x", "1-2/x"),
            ("a } b }} c { d", "a } b }} c { d"),
        ] {
            assert_eq!(rendered(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn an_unclosed_or_empty_reference_is_rejected() {
        assert!(rendered("{{ a").is_err());
        assert!(rendered("{{ a }} {{ b").is_err());
        assert!(rendered("{{  }}").is_err());
    }
}

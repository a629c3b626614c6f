//! `{{ variable }}` in a text: where Spin's manifest lets a value depend on how the application is run.

/// A text with holes for variables.
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
    /// What is wrong with it, in words.
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

    /// The variables it needs.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Fills the holes.
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

    fn filled(text: &str) -> Result<String, &'static str> {
        Template::parse(text)
            .map(|template| template.render(|name| if name == "a" { "1" } else { "2" }))
    }

    #[test]
    fn holes_are_filled_and_the_rest_is_kept() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{{ a }}", "1"),
            ("{{a}}-{{ b }}/x", "1-2/x"),
            ("a } b }} c { d", "a } b }} c { d"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn an_open_or_empty_hole_is_refused() {
        assert!(filled("{{ a").is_err());
        assert!(filled("{{ a }} {{ b").is_err());
        assert!(filled("{{  }}").is_err());
    }
}

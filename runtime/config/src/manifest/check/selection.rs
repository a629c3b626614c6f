//! The components of the manifest, and those that `-c` selects.

use crate::document::{ConfigError, Located, Location, suggest};
use crate::manifest::names::ComponentId;

/// All component ids of a manifest, and the names of the selected ones.
pub(super) struct Selection<'a> {
    ids: Vec<ComponentId>,
    /// Empty selects all components.
    selected: &'a [String],
}

const REMEDY: &str = "declare it as a [component.<id>]";

impl<'a> Selection<'a> {
    /// # Errors
    /// When a selected name is not among the ids.
    pub(super) fn new(ids: Vec<ComponentId>, selected: &'a [String]) -> Result<Self, ConfigError> {
        let selection = Self { ids, selected };
        let unknown = selected
            .iter()
            .find(|name| selection.get(name.as_str()).is_none());
        match unknown {
            None => Ok(selection),
            Some(name) => Err(Location::of_source("--component-id", "").error(
                format_args!("{name:?}"),
                "there is no such component",
                suggest(name, selection.names(), REMEDY),
            )),
        }
    }

    /// The ids of all components, in the order of the manifest.
    pub(super) fn ids(&self) -> &[ComponentId] {
        &self.ids
    }

    /// Whether a component is selected.
    pub(super) fn contains(&self, id: &ComponentId) -> bool {
        self.selected.is_empty() || self.selected.iter().any(|selected| id == selected.as_str())
    }

    /// The id of the component that a trigger names.
    pub(super) fn find(&self, name: &Located<String>) -> Result<ComponentId, ConfigError> {
        self.get(&name.value).cloned().ok_or_else(|| {
            name.error(
                "there is no such component",
                suggest(&name.value, self.names(), REMEDY),
            )
        })
    }

    fn get(&self, name: &str) -> Option<&ComponentId> {
        self.ids.iter().find(|id| *id == name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(ComponentId::as_str)
    }
}

//! The Redis triggers. The platform has one event log, so all triggers name the same server.

use super::selection::Selection;
use crate::document::{ConfigError, Located, is_misspelt};
use crate::manifest::RedisTrigger;
use crate::manifest::schema::RedisTriggerTable;
use crate::manifest::variables::ResolvedVariables;
use crate::redis_url;

/// The address of the event log, and the triggers that consume it.
pub(super) struct EventLog {
    /// `None` without a trigger and without `[application.trigger.redis]`.
    pub(super) address: Option<String>,
    pub(super) triggers: Vec<RedisTrigger>,
}

impl EventLog {
    /// Checks all Redis triggers; `address` is that of `[application.trigger.redis]`.
    ///
    /// # Errors
    /// When a trigger has no address, another address, no channel, an unknown component, or when it exists twice.
    pub(super) fn check(
        address: Option<Located<String>>,
        triggers: Vec<RedisTriggerTable>,
        variables: &ResolvedVariables,
        selection: &Selection<'_>,
    ) -> Result<Self, ConfigError> {
        let address = address
            .map(|address| redis_address(&address, variables))
            .transpose()?;
        let mut log = Self {
            address,
            triggers: Vec::new(),
        };
        let mut channels = Vec::new();
        for trigger in triggers {
            let written = trigger.channel.clone();
            log.add(trigger, variables, selection)?;
            channels.push(written);
        }
        check_similar(&channels)?;
        Ok(log)
    }

    fn add(
        &mut self,
        table: RedisTriggerTable,
        variables: &ResolvedVariables,
        selection: &Selection<'_>,
    ) -> Result<(), ConfigError> {
        let component = selection.find(&table.component)?;
        let channel = variables.render(&table.channel)?.text;
        if channel.is_empty() {
            return Err(table.channel.error(
                "the channel is empty",
                "name the channel that triggers the component",
            ));
        }
        if let Some(own) = &table.address {
            self.check_address(own, variables)?;
        }
        if self.address.is_none() {
            return Err(table.channel.error(
                "there is no address to listen at",
                "add address = \"redis://…\" to [application.trigger.redis]",
            ));
        }
        let trigger = RedisTrigger { component, channel };
        if self.triggers.contains(&trigger) {
            return Err(table.channel.error(
                format!(
                    "this channel already triggers component `{}`",
                    trigger.component
                ),
                "remove one of the two triggers",
            ));
        }
        self.triggers.push(trigger);
        Ok(())
    }

    /// The first address of a trigger becomes that of the log, unless the application has one.
    fn check_address(
        &mut self,
        written: &Located<String>,
        variables: &ResolvedVariables,
    ) -> Result<(), ConfigError> {
        let resolved = redis_address(written, variables)?;
        if *self.address.get_or_insert_with(|| resolved.clone()) == resolved {
            return Ok(());
        }
        Err(written.error(
            "socar has one event log, which already has another address",
            "remove it; [application.trigger.redis] address holds for all triggers",
        ))
    }
}

/// Rejects a channel that only one trigger names and that is spelt almost like the channel of several others: nothing
/// would ever arrive on it.
fn check_similar(channels: &[Located<String>]) -> Result<(), ConfigError> {
    let count = |name: &str| channels.iter().filter(|it| it.value == name).count();
    for channel in channels.iter().filter(|it| count(&it.value) == 1) {
        let similar = channels.iter().find(|other| {
            other.value != channel.value && is_misspelt(&channel.value, &other.value)
        });
        if let Some(similar) = similar {
            return Err(channel.error(
                "no other trigger has this channel",
                format!("did you mean `{}`?", similar.value),
            ));
        }
    }
    Ok(())
}

fn redis_address(
    written: &Located<String>,
    variables: &ResolvedVariables,
) -> Result<String, ConfigError> {
    let address = variables.render(written)?;
    if address.unresolved {
        return Ok(address.text);
    }
    let Err(cause) = redis_url::check(&address.text) else {
        return Ok(address.text);
    };
    let problem = match address.templated {
        true => format!(
            "it resolves to {}, which is not a Redis address: {cause}",
            address.shown()
        ),
        false => format!("not a Redis address: {cause}"),
    };
    Err(written.error(
        problem,
        "write redis://host:port, or rediss://host:port for TLS",
    ))
}

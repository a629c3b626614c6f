//! Manifest of the same application without its protections, for comparison only.
//!
//! The manifest is parsed as TOML and written to another directory with other policies. Deadlines and memory limits stay:
//! without them the platform would not become slow, it would exhaust its memory.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::manifest::{components, subtable, write_edited};

/// Concurrent calls of a component without a limit: about as many as the listener serves connections.
const UNLIMITED_CALLS: i64 = 1000;

/// Writes the manifest `from` without protections into `folder`, and returns the path of the new file.
///
/// # Errors
/// When the manifest cannot be read or parsed, or the new file cannot be written.
pub fn write(from: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    write_edited(from, folder, "unprotected.toml", strip)
}

fn strip(manifest: &mut Table) -> anyhow::Result<()> {
    let policy = subtable(manifest, &["application", "tool", "socar"])?;
    policy.remove("links");
    policy.extend(unlimited());
    for component in components(manifest)? {
        let policy = subtable(component?, &["tool", "socar"])?;
        for key in [
            "links",
            "breaker",
            "concurrency",
            "queue",
            "queue_timeout",
            "adaptive",
        ] {
            policy.remove(key);
        }
    }
    Ok(())
}

/// Policies without adaptive limits, breakers, retries and a short queue.
fn unlimited() -> Table {
    Table::from_iter([
        ("adaptive".to_owned(), Value::Boolean(false)),
        ("breaker".to_owned(), Value::Boolean(false)),
        ("retry".to_owned(), Value::Boolean(false)),
        ("concurrency".to_owned(), Value::Integer(UNLIMITED_CALLS)),
        ("queue".to_owned(), Value::Integer(100 * UNLIMITED_CALLS)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::manifest::{App, Environment, Overrides};

    #[test]
    fn the_shipped_manifest_can_be_stripped_of_its_protections() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            environment: Environment::default(),
            ..Overrides::default()
        };
        let shipped = App::load(&root, &overrides).unwrap();
        let stripped = App::load(&write(&root, folder.path()).unwrap(), &overrides).unwrap();
        for shipped in &shipped.components {
            let stripped = stripped.component(shipped.id.as_str()).unwrap();
            assert_eq!(shipped.policy.deadline, stripped.policy.deadline);
            assert!(shipped.policy.link.adaptive && !stripped.policy.link.adaptive);
            assert_eq!(stripped.policy.concurrency, UNLIMITED_CALLS as usize);
            assert!(stripped.policy.link.breaker.is_none());
            assert!(stripped.source.is_absolute());
        }
        let link = stripped.links.outbound("payment");
        assert!(link.to("https://bank:443").breaker.is_none());
    }
}

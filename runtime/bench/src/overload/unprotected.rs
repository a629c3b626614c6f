//! The same application without what protects it: for comparison, never for use.
//!
//! The manifest is read as text and written elsewhere with other policies. Deadlines and memory limits stay: a platform
//! that leaves them out would not be slow, it would be gone.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use toml::{Table, Value};

/// Calls at the same time, where there is to be no limit: as many as the port lets in.
const EVERYBODY: i64 = 1000;

const NO_TABLE: &str = "not the manifest of an application";

/// Writes the manifest `from` without protection into `folder`, and says where.
///
/// # Errors
/// When it cannot be read or written.
pub fn write(from: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let from = match from.is_dir() {
        true => from.join("spin.toml"),
        false => from.to_path_buf(),
    };
    let from = std::path::absolute(from)?;
    let text = std::fs::read_to_string(&from)
        .with_context(|| format!("cannot read {}", from.display()))?;
    let root = from.parent().unwrap_or(Path::new("/"));
    let written = folder.join("unprotected.toml");
    std::fs::write(&written, strip(&text, root)?)?;
    Ok(written)
}

fn strip(manifest: &str, root: &Path) -> anyhow::Result<String> {
    let mut manifest: Table = manifest.parse()?;
    let policy = below(&mut manifest, &["application", "tool", "socar"])?;
    policy.remove("links");
    policy.extend(unlimited());
    for (_, component) in below(&mut manifest, &["component"])?.iter_mut() {
        let component = component.as_table_mut().context(NO_TABLE)?;
        let policy = below(component, &["tool", "socar"])?;
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
        // Paths start where the manifest is, which is now elsewhere.
        if let Some(Value::String(source)) = component.get_mut("source") {
            *source = root.join(&*source).display().to_string();
        }
    }
    Ok(toml::to_string(&manifest)?)
}

/// No limit that adapts, no queue that ends, no breaker, no repetition.
fn unlimited() -> Table {
    Table::from_iter([
        ("adaptive".to_owned(), Value::Boolean(false)),
        ("breaker".to_owned(), Value::Boolean(false)),
        ("retry".to_owned(), Value::Boolean(false)),
        ("concurrency".to_owned(), Value::Integer(EVERYBODY)),
        ("queue".to_owned(), Value::Integer(100 * EVERYBODY)),
    ])
}

/// The table at this path, made if it is not there.
fn below<'a>(table: &'a mut Table, path: &[&str]) -> anyhow::Result<&'a mut Table> {
    path.iter().try_fold(table, |table, key| {
        let entry = table.entry(*key).or_insert(Value::Table(Table::new()));
        entry.as_table_mut().context(NO_TABLE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::manifest::{App, Environment, Overrides};

    #[test]
    fn the_application_itself_can_be_stripped() {
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
            assert_eq!(stripped.policy.concurrency, EVERYBODY as usize);
            assert!(stripped.policy.link.breaker.is_none());
            assert!(stripped.source.is_absolute());
        }
        let link = stripped.links.outbound("payment");
        assert!(link.to("https://bank:443").breaker.is_none());
    }
}

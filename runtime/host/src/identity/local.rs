//! The issuer on this machine: a key in the state directory, with which `socar token` signs and the host verifies.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use access_token::{NewToken, SigningError, SigningKey, now};
use anyhow::{Context as _, ensure};
use http_conventions::principal::Role;

use crate::private_directory;

/// The issuer in the tokens.
pub const ISSUER: &str = "urn:socar:local";

/// The audience in the tokens.
pub const AUDIENCE: &str = "socar";

/// The file of the key, in PKCS #8.
const KEY_FILE: &str = "identity-key";

/// Reads the key in the state directory; creates both if necessary.
///
/// # Errors
/// When the key cannot be read or created, or another user can read it.
pub fn signing_key(state_dir: &Path) -> anyhow::Result<SigningKey> {
    private_directory::create(state_dir)?;
    let path = state_dir.join(KEY_FILE);
    if !path.exists() {
        create(&path).with_context(|| format!("cannot create the key {}", path.display()))?;
    }
    let unreadable = || format!("cannot read the key {}", path.display());
    let mode = fs::metadata(&path).with_context(unreadable)?.permissions();
    ensure!(
        mode.mode() & 0o077 == 0,
        "other users can read or change {}, with which every token can be signed: run chmod 600",
        path.display()
    );
    let key = fs::read(&path).with_context(unreadable)?;
    SigningKey::from_pkcs8(&key).with_context(|| {
        format!(
            "{} is damaged: remove it for a new key, and make new tokens",
            path.display()
        )
    })
}

/// A token of a user, valid for this time from now on.
///
/// # Errors
/// When the key does not sign.
pub fn token(
    key: &SigningKey,
    role: Role,
    subject: &str,
    lifetime: Duration,
) -> Result<String, SigningError> {
    let issued = now();
    key.sign(&NewToken {
        issuer: ISSUER,
        audience: AUDIENCE,
        subject,
        roles: &[role.as_str()],
        issued,
        expires: issued + lifetime.as_secs(),
    })
}

/// Creates the key. Of two processes that do so at the same time, the one that is first decides, and the key is complete
/// from the moment on at which it has its name.
fn create(path: &Path) -> anyhow::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let key = SigningKey::generate()?;
    let linked = write_new(&new, &key).and_then(|()| fs::hard_link(&new, path));
    // A file that is only half written, on a full disk, is removed as well.
    let removed = fs::remove_file(&new);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(removed?),
    }
}

fn write_new(path: &Path, key: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(key)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_created_once_for_this_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = signing_key(&state).unwrap().public_set();
        assert_eq!(signing_key(&state).unwrap().public_set(), first);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        let key = state.join(KEY_FILE);
        assert_eq!(mode(&key), 0o600);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);

        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = signing_key(&state).err().unwrap().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&key, "no key").unwrap();
        let refused = signing_key(&state).err().unwrap().to_string();
        assert!(refused.contains("is damaged"), "{refused}");
    }
}

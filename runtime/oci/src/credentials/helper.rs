//! Credential helpers: programs that ask the key ring of a desktop or of a cloud.
//!
//! The program gets the name of the registry on standard input and prints JSON. It runs with the environment of this
//! process and is ended when it takes too long.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Credentials;

/// How long a helper may take. It may ask a service of a cloud.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What helpers print when they know the registry not.
const NOT_FOUND: &str = "credentials not found";

/// The user that helpers print in place of a name when the secret is an identity token.
const IDENTITY_TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// Asks the program `docker-credential-<name>` for the credentials of a registry; `None` when it has none.
///
/// # Errors
/// When the program cannot be run, fails, or takes too long. The error shows nothing of what it printed.
pub async fn get(name: &str, registry: &str) -> anyhow::Result<Option<Credentials>> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ensure!(
        name.bytes().all(is_plain),
        "`{name}` is not the name of a credential helper"
    );
    let program = format!("docker-credential-{name}");
    let answered = tokio::time::timeout(TIMEOUT, ask(&program, registry)).await;
    let answered = answered
        .unwrap_or_else(|_| Err(anyhow!("it gave no answer within {} s", TIMEOUT.as_secs())));
    answered.with_context(|| {
        format!("the credential helper `{program}` for {registry} failed: repair it, or remove it from `credHelpers` and `credsStore` and log in again")
    })
}

pub(super) async fn ask(program: &str, registry: &str) -> anyhow::Result<Option<Credentials>> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("it cannot be run")?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input fails by itself.
        let _ = input.write_all(registry.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(text.contains(NOT_FOUND), "{}", output.status);
        return Ok(None);
    }
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout)
        .map_err(|_| anyhow!("what it printed is not JSON with Username and Secret"))?;
    if answer.username == IDENTITY_TOKEN {
        bail!("it has an identity token, which socar does not support");
    }
    Ok(Some(Credentials {
        user: answer.username,
        secret: answer.secret,
    }))
}

//! The flags of `socar platform-token`.

use clap::Args;

use super::secret::value_or_file;

fn component_id(text: &str) -> Result<String, String> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    match !text.is_empty() && text.chars().all(is_letter) {
        true => Ok(text.to_owned()),
        false => Err("write the id of a component, such as car".to_owned()),
    }
}

/// The flags of `socar platform-token`.
#[derive(Args, Clone, Debug)]
pub struct PlatformTokenOptions {
    /// The context that is called: the id of its component, such as `car`.
    #[arg(long, value_name = "CONTEXT", value_parser = component_id)]
    pub context: String,

    /// The value of the variable `context_token` or `relay_secret` of the deployment, which signs the token.
    #[arg(
        long,
        value_name = "SECRET",
        value_parser = value_or_file,
        env = "SOCAR_PLATFORM_SECRET",
        hide_env_values = true
    )]
    pub secret: String,
}

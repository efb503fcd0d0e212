//! `vstreamd user`: what to write into the configuration for a user, without the password.

use std::io::{BufRead, IsTerminal};

use super::{CliError, UserArgs};
use crate::frontend::mysql::{Salted, native_digest};

pub fn run(args: &UserArgs) -> Result<(), CliError> {
    let failed = |source| CliError::Io { context: "read the password".to_owned(), source };
    let password = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("Password for {}: ", args.name)).map_err(failed)?
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.is_empty() {
        return Err(CliError::Argument("a user needs a password; nothing was entered".to_owned()));
    }
    let salted = Salted::of_password(password.as_bytes()).map_err(|error| CliError::Io {
        context: "make a salt".to_owned(),
        source: error.into(),
    })?;
    // A string of JSON is one of TOML.
    println!("[[user]]\nname = {}", serde_json::Value::from(&*args.name));
    println!("caching_sha2 = '{salted}'");
    if args.native {
        let digest = native_digest(password.as_bytes());
        let digits: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        println!("native = '*{digits}'");
    }
    Ok(())
}

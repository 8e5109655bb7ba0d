//! `hearth user`: makes, changes, removes and lists users.

use std::io::{self, BufRead, IsTerminal};

use hearth_scram::Verifier;

use crate::auth::{ITERATIONS, SALT_BYTES, Users, UsersError, UsersFile, check_name};

/// Longest password in bytes: a bound of CONNECT (`credentials_bytes_max`) holds for it and its name together.
const PASSWORD_BYTES_MAX: usize = 1024;

/// What is to be done with the users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAction {
    /// Make one, or give it another password.
    Add(String),
    /// Remove one.
    Remove(String),
    /// List them.
    List,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name cannot be that of a user.
    #[error("`{name}` cannot be a user: {problem}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such user.
    #[error("there is no user `{name}` in {place}; `hearth user list` shows them")]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        place: String,
    },
    /// The password cannot be read.
    #[error("cannot read the password: {0}")]
    Unreadable(#[source] io::Error),
    /// The password cannot be taken.
    #[error("the password is not taken: {0}")]
    Password(&'static str),
    /// The users cannot be read or kept.
    #[error(transparent)]
    File(#[from] UsersError),
}

/// Does it; what to print.
///
/// # Errors
/// It was not done, and nothing was changed.
pub(crate) fn run(action: &UserAction, file: &UsersFile) -> Result<String, UserError> {
    let place = file.path.display();
    match action {
        UserAction::Add(name) => {
            let checked =
                check_name(name).map_err(|problem| UserError::Name { name: name.clone(), problem })?;
            let password = read_password(&checked)?;
            let salt: [u8; SALT_BYTES] = rand::random();
            let verifier = Verifier::derive(password.as_bytes(), &salt, ITERATIONS);
            let was_there = file.edit(|users| users.insert(checked, verifier))?;
            Ok(match was_there {
                true => format!("{name} has another password in {place}\n"),
                false => format!("{name} is a user now, in {place}\n"),
            })
        }
        UserAction::Remove(name) => match file.edit(|users| users.remove(name))? {
            true => Ok(format!("{name} is no user any more, in {place}\n")),
            false => Err(UserError::Unknown { name: name.clone(), place: place.to_string() }),
        },
        UserAction::List => {
            let users = file.read()?;
            let names = users.iter().flat_map(Users::names);
            Ok(names.map(|name| format!("{name}\n")).collect())
        }
    }
}

/// Asks twice at a terminal, without showing it; takes a line otherwise.
fn read_password(name: &str) -> Result<String, UserError> {
    let password = if io::stdin().is_terminal() {
        let ask = |prompt: String| rpassword::prompt_password(prompt).map_err(UserError::Unreadable);
        let password = ask(format!("Password for {name}: "))?;
        if password != ask("The same again: ".to_owned())? {
            return Err(UserError::Password("it was another one the second time"));
        }
        password
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(UserError::Unreadable)?;
        let end = line.trim_end_matches(['\n', '\r']).len();
        line.truncate(end);
        line
    };
    match password.len() {
        0 => Err(UserError::Password("it is empty")),
        1..=PASSWORD_BYTES_MAX => Ok(password),
        _ => Err(UserError::Password("it is longer than 1,024 bytes")),
    }
}

//! The rule for clients that do not say who they are.

/// Whether clients without a name are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// As `Local` while there are no users, as `No` when there are.
    #[default]
    Auto,
    /// None of them.
    No,
    /// Those on this machine.
    Local,
    /// All of them.
    Yes,
}

impl Anonymous {
    /// What is written for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::No => "no",
            Self::Local => "local",
            Self::Yes => "yes",
        }
    }

    /// Reads what [`Anonymous::name`] gives.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::No, Self::Local, Self::Yes].into_iter().find(|rule| rule.name() == name)
    }

    /// Whether a client without a name is served; `is_local` says whether it is on this machine, `has_users` whether
    /// there are users.
    pub(crate) const fn allows(self, is_local: bool, has_users: bool) -> bool {
        match self {
            Self::Auto => is_local && !has_users,
            Self::No => false,
            Self::Local => is_local,
            Self::Yes => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_users_this_machine_is_served_and_with_them_nobody_without_a_name() {
        for (rule, expected) in [
            (Anonymous::Auto, [false, true, false, false]),
            (Anonymous::No, [false; 4]),
            (Anonymous::Local, [false, true, false, true]),
            (Anonymous::Yes, [true; 4]),
        ] {
            let cases = [(false, false), (true, false), (false, true), (true, true)];
            let answers = cases.map(|(is_local, has_users)| rule.allows(is_local, has_users));
            assert_eq!(answers, expected, "{rule:?}");
            assert_eq!(Anonymous::from_name(rule.name()), Some(rule));
        }
        assert_eq!(Anonymous::from_name("always"), None);
        assert_eq!(Anonymous::default(), Anonymous::Auto);
    }
}

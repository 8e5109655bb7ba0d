//! What a person chose for this browser.

/// Light or dark, or as much contrast as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system wishes.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
    /// White and yellow on black, with lines around everything.
    Contrast,
}

impl Theme {
    /// All choices in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::System, Self::Light, Self::Dark, Self::Contrast];

    /// The word in storage, style sheets and tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Contrast => "contrast",
        }
    }

    /// The theme of a stored word; an unknown word is as if nothing were stored.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word).unwrap_or_default()
    }
}

/// How the topics are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// One row a topic.
    #[default]
    List,
    /// Level below level.
    Tree,
}

impl Shape {
    /// The word in storage and tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Tree => "tree",
        }
    }

    /// The shape of a stored word; an unknown word is as if nothing were stored.
    pub fn of(word: &str) -> Self {
        if word == Self::Tree.as_str() { Self::Tree } else { Self::List }
    }
}

/// The language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// What the browser prefers.
    #[default]
    System,
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    /// All choices in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::English, Self::German];

    /// The word in storage and tests; a language tag where it names a language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language of a stored word; an unknown word is as if nothing were stored.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|language| language.as_str() == word).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_word_brings_its_choice_back() {
        for theme in Theme::ALL {
            assert_eq!(Theme::from_word(theme.as_str()), theme);
        }
        for language in Language::ALL {
            assert_eq!(Language::from_word(language.as_str()), language);
        }
        assert_eq!(Theme::from_word("neon"), Theme::System);
    }
}

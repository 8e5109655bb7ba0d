//! The profiles of this browser, in the order in which they are shown.

use super::{PROFILES_MAX, Profile};

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles(Vec<Profile>);

/// What became of profiles that were imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// They are in the list now.
    pub added: usize,
    /// They were there already.
    pub known: usize,
    /// There is no room for them.
    pub left_out: usize,
}

impl Profiles {
    /// The list of these; where two have one id, the later gets a new one.
    pub fn of(profiles: Vec<Profile>) -> Self {
        let mut list = Self::default();
        for profile in profiles {
            let is_taken = profile.id == 0 || list.get(profile.id).is_some();
            let id = if is_taken { list.next_id() } else { profile.id };
            list.0.push(Profile { id, ..profile });
        }
        list
    }

    /// The profiles.
    pub fn as_slice(&self) -> &[Profile] {
        &self.0
    }

    /// The profile with this id.
    pub fn get(&self, id: u32) -> Option<&Profile> {
        self.0.iter().find(|profile| profile.id == id)
    }

    /// Whether one more has room.
    pub const fn has_room(&self) -> bool {
        self.0.len() < PROFILES_MAX
    }

    /// Puts a profile in the place of the one with its id, or behind all others; 0 stands for a new one. `None` when
    /// there is no room.
    pub fn put(&mut self, profile: Profile) -> Option<u32> {
        if let Some(place) = self.0.iter_mut().find(|other| other.id == profile.id) {
            *place = profile;
            return Some(place.id);
        }
        if !self.has_room() {
            return None;
        }
        let id = self.next_id();
        self.0.push(Profile { id, ..profile });
        Some(id)
    }

    /// Takes a profile off the list.
    pub fn remove(&mut self, id: u32) {
        self.0.retain(|profile| profile.id != id);
    }

    /// Adds imported profiles, but none twice.
    pub fn merge(&mut self, profiles: Vec<Profile>) -> Merged {
        let mut merged = Merged::default();
        for profile in profiles {
            let new = Profile { id: 0, ..profile };
            if self.0.iter().any(|other| Profile { id: 0, ..other.clone() } == new) {
                merged.known += 1;
            } else if self.put(new).is_some() {
                merged.added += 1;
            } else {
                merged.left_out += 1;
            }
        }
        merged
    }

    fn next_id(&self) -> u32 {
        self.0.iter().map(|profile| profile.id).max().unwrap_or(0).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Profile {
        Profile { name: name.to_owned(), host: "a".to_owned(), ..Profile::default() }
    }

    #[test]
    fn a_new_profile_gets_an_id_and_keeps_it() {
        let mut list = Profiles::default();
        let (a, b) = (list.put(named("a")).unwrap(), list.put(named("b")).unwrap());
        assert_ne!(a, b);
        assert_eq!(list.put(Profile { id: a, ..named("new a") }), Some(a));
        let names: Vec<&str> = list.as_slice().iter().map(|profile| profile.name.as_str()).collect();
        assert_eq!(names, ["new a", "b"]);
        list.remove(a);
        assert_eq!((list.get(a), list.as_slice().len()), (None, 1));
    }

    #[test]
    fn what_is_there_already_is_not_imported_again() {
        let mut list = Profiles::of(vec![named("a")]);
        let merged = list.merge(vec![Profile { id: 70, ..named("a") }, named("b"), named("b")]);
        assert_eq!(merged, Merged { added: 1, known: 2, left_out: 0 });
    }

    #[test]
    fn a_full_list_says_what_it_leaves_out() {
        let mut list = Profiles::default();
        let many = (0..PROFILES_MAX + 3).map(|number| named(&number.to_string())).collect();
        assert_eq!(list.merge(many), Merged { added: PROFILES_MAX, known: 0, left_out: 3 });
        assert_eq!(list.put(named("more")), None);
    }

    #[test]
    fn no_two_profiles_of_a_list_have_one_id() {
        let list = Profiles::of(vec![
            Profile { id: 4, ..named("a") },
            Profile { id: 4, ..named("b") },
            Profile { id: 0, ..named("c") },
        ]);
        let mut ids: Vec<u32> = list.as_slice().iter().map(|profile| profile.id).collect();
        ids.dedup();
        assert_eq!((ids.len(), ids.contains(&0)), (3, false));
    }
}

//! The sessions of a shard, by number and by client id.

use std::hash::{BuildHasher, Hasher};
use std::ops::{Index, IndexMut};

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use slab::Slab;

use crate::dropped::{self, ClientDrops};
use crate::session::{Flow, Session};

/// Sessions, each client id once.
pub(crate) struct Sessions {
    slab: Slab<Session>,
    /// Numbers by client id, which is not kept a second time.
    by_client: HashTable<u32>,
    hash: FixedState,
}

impl Sessions {
    pub(crate) fn new(seed: u64) -> Self {
        Self { slab: Slab::new(), by_client: HashTable::new(), hash: FixedState::with_seed(seed) }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Messages that wait, of all sessions.
    pub(crate) fn waiting(&self) -> usize {
        self.slab.iter().filter_map(|(_, session)| session.flow()).map(Flow::waiting).sum()
    }

    /// Bytes of their topics, payloads and properties; a message that waits for several counts for each.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.slab.iter().filter_map(|(_, session)| session.flow()).map(Flow::waiting_bytes).sum()
    }

    /// Those of whom the most was dropped.
    pub(crate) fn most_dropped(&self) -> Vec<ClientDrops> {
        let sessions = self.slab.iter().map(|(_, session)| session);
        dropped::most(sessions.filter_map(|session| Some((&session.client_id, session.drops()?))))
    }

    /// The session of a client.
    pub(crate) fn find(&self, client_id: &str) -> Option<u32> {
        let is_it = |index: &u32| self[*index].client_id.as_str() == client_id;
        self.by_client.find(hash_of(&self.hash, client_id), is_it).copied()
    }

    /// Enters the session of a client that has none.
    pub(crate) fn insert(&mut self, session: Session) -> u32 {
        let hash = hash_of(&self.hash, &session.client_id);
        // A session has had a connection, whose numbers are 32 bits.
        let index = self.slab.insert(session) as u32;
        let rehash = |index: &u32| hash_of(&self.hash, &self.slab[*index as usize].client_id);
        self.by_client.insert_unique(hash, index, rehash);
        index
    }

    pub(crate) fn remove(&mut self, index: u32) -> Session {
        let session = self.slab.remove(index as usize);
        let hash = hash_of(&self.hash, &session.client_id);
        if let Ok(entry) = self.by_client.find_entry(hash, |other| *other == index) {
            entry.remove();
        }
        session
    }

    #[cfg(any(test, feature = "generate"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slab.iter().map(|(_, session)| session)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Session> {
        self.slab.get_mut(index as usize)
    }
}

impl Index<u32> for Sessions {
    type Output = Session;

    fn index(&self, index: u32) -> &Session {
        &self.slab[index as usize]
    }
}

impl IndexMut<u32> for Sessions {
    fn index_mut(&mut self, index: u32) -> &mut Session {
        &mut self.slab[index as usize]
    }
}

fn hash_of(hash: &FixedState, client_id: &str) -> u64 {
    let mut hasher = hash.build_hasher();
    hasher.write(client_id.as_bytes());
    hasher.finish()
}

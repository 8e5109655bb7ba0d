//! The clients of a simulation, with what was said to them.

use std::collections::BTreeMap;

use bytes::BytesMut;
use hearth_protocol::connection::client::{Client, ClientOptions, Token};
use hearth_protocol::generate::Random;

use super::profile::Profile;
use super::raw::Raw;

/// One of the clients of a simulation.
pub(super) struct SimClient {
    pub(super) profile: Profile,
    pub(super) actor: Actor,
    /// Its connection.
    pub(super) link: Option<usize>,
}

/// Who speaks for it.
pub(super) enum Actor {
    /// The client machine of the product.
    Machine(Box<Machine>),
    /// A script that keeps few rules.
    Raw(Raw),
}

/// A client machine with what was said to it.
pub(super) struct Machine {
    pub(super) client: Client,
    /// The start of a packet.
    pub(super) inbox: BytesMut,
    /// Messages whose outcome is open.
    pub(super) sent: BTreeMap<Token, String>,
    /// QoS 2 messages that came, by key.
    pub(super) heard: BTreeMap<String, usize>,
    /// The session that it was told of last.
    pub(super) session: Option<u64>,
    /// It took another session for the one that it had: a CONNACK that would have told it was lost.
    pub(super) is_mistaken: bool,
}

/// How many clients a simulation has, before the one that looks at the end.
pub(super) const CLIENTS: usize = 9;
/// The first client, which subscribes to everything and keeps its session.
pub(super) const WITNESS: usize = 0;

impl SimClient {
    /// The client of a seed with this number. `expires` says that sessions before version 5 end too.
    pub(super) fn new(random: &mut Random, number: usize, expires: bool, seed: u64) -> Self {
        let profile = Profile::new(random, number, expires, seed);
        let is_raw = matches!(number, 7 | 8);
        let actor = if is_raw {
            Actor::Raw(Raw::new(profile.version))
        } else {
            let mut options = ClientOptions::new(profile.id.clone());
            options.version = profile.version;
            // A DISCONNECT that ends the session may be lost, after which the server has it still.
            options.adopt_session = true;
            let client = Client::new(options);
            let (inbox, sent, heard) = (BytesMut::new(), BTreeMap::new(), BTreeMap::new());
            let (session, is_mistaken) = (None, false);
            Actor::Machine(Box::new(Machine { client, inbox, sent, heard, session, is_mistaken }))
        };
        Self { profile, actor, link: None }
    }

    pub(super) const fn is_raw(&self) -> bool {
        matches!(self.actor, Actor::Raw(_))
    }
}

impl Machine {
    /// Prepares the next CONNECT.
    pub(super) fn prepare(&mut self, profile: &Profile, random: &mut Random, last_words: Option<String>) {
        let connect = profile.connect(random, last_words);
        self.inbox.clear();
        let options = self.client.options_mut();
        options.clean_start = connect.clean_start;
        options.keep_alive = connect.keep_alive;
        options.will = connect.will;
        options.properties = connect.properties;
    }

    /// Prepares a CONNECT after which nothing will be kept.
    pub(super) fn prepare_to_leave(&mut self) {
        self.inbox.clear();
        let options = self.client.options_mut();
        options.clean_start = true;
        options.will = None;
        options.properties.session_expiry = None;
    }
}

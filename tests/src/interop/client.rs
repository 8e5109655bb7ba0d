//! What a scenario asks of a client, and how a client that keeps connections answers it.

use super::message::{Filter, Heard, Message, Session};

/// A client program or library, in one version over one transport, at one broker.
pub trait Client {
    /// Connects and subscribes in one SUBSCRIBE.
    fn listen(&mut self, session: &Session, filters: &[Filter]) -> Box<dyn Listener>;

    /// Connects, and leaves with DISCONNECT at once.
    fn visit(&mut self, session: &Session);

    /// Publishes messages of one topic, QoS and set of properties over one connection, one after the other; QoS 1 and 2
    /// to their last acknowledgement.
    fn publish(&mut self, messages: &[Message]);

    /// Publishes a question and listens for its answer.
    fn ask(&mut self, session: &Session, question: &Message, answers_at: &Filter) -> Box<dyn Listener>;

    /// Whether the filters of one SUBSCRIBE may ask for different QoS.
    fn has_a_qos_for_each_filter(&self) -> bool;

    /// Ends what the client still has open; it must have been content to the end.
    fn finish(self: Box<Self>);
}

/// A connection that hears.
pub trait Listener {
    /// The codes of SUBACK.
    fn granted(&self) -> &[u8];

    /// What CONNACK said of the session, where the client tells and the version knows.
    fn session_present(&self) -> Option<bool>;

    /// Waits for the next message.
    fn next_message(&mut self) -> Heard;

    /// Ends the connection with DISCONNECT.
    fn leave(self: Box<Self>);

    /// Ends the connection without a word, as a power cut does.
    fn cut(self: Box<Self>);
}

/// One connection of a client library.
pub trait Connection {
    /// Version 3.1 does not tell.
    fn session_present(&self) -> Option<bool>;

    /// Sends one SUBSCRIBE and gives the codes of SUBACK.
    fn subscribe(&mut self, filters: &[Filter]) -> Vec<u8>;

    /// Publishes, to the last acknowledgement.
    fn publish(&mut self, message: &Message);

    fn next_message(&mut self) -> Heard;
    fn leave(self: Box<Self>);
    fn cut(self: Box<Self>);
}

/// Makes a connection.
pub type Connect = Box<dyn Fn(&Session) -> Box<dyn Connection>>;

/// A library whose connections subscribe and publish, each as it is told.
pub struct Library {
    /// The connections that hear.
    connect: Connect,
    /// The one that publishes, which may go another way.
    connect_publisher: Connect,
    publisher_id: String,
    publisher: Option<Box<dyn Connection>>,
}

struct Subscriber {
    connection: Box<dyn Connection>,
    granted: Vec<u8>,
}

impl Library {
    pub fn new(publisher_id: String, connect: Connect, connect_publisher: Connect) -> Self {
        Self { connect, connect_publisher, publisher_id, publisher: None }
    }
}

impl Client for Library {
    fn listen(&mut self, session: &Session, filters: &[Filter]) -> Box<dyn Listener> {
        let mut connection = (self.connect)(session);
        let granted = connection.subscribe(filters);
        Box::new(Subscriber { connection, granted })
    }

    fn visit(&mut self, session: &Session) {
        (self.connect)(session).leave();
    }

    fn publish(&mut self, messages: &[Message]) {
        let publisher = self
            .publisher
            .get_or_insert_with(|| (self.connect_publisher)(&Session::transient(self.publisher_id.clone())));
        for message in messages {
            publisher.publish(message);
        }
    }

    fn ask(&mut self, session: &Session, question: &Message, answers_at: &Filter) -> Box<dyn Listener> {
        let mut connection = (self.connect)(session);
        let granted = connection.subscribe(std::slice::from_ref(answers_at));
        connection.publish(question);
        Box::new(Subscriber { connection, granted })
    }

    fn has_a_qos_for_each_filter(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>) {
        if let Some(publisher) = self.publisher {
            publisher.leave();
        }
    }
}

impl Listener for Subscriber {
    fn granted(&self) -> &[u8] {
        &self.granted
    }

    fn session_present(&self) -> Option<bool> {
        self.connection.session_present()
    }

    fn next_message(&mut self) -> Heard {
        self.connection.next_message()
    }

    fn leave(self: Box<Self>) {
        self.connection.leave();
    }

    fn cut(self: Box<Self>) {
        self.connection.cut();
    }
}

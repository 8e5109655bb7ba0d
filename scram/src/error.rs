//! Why an exchange ended badly.

/// What a peer said that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The message is not what RFC 5802, section 7 has for its place.
    #[error("the SCRAM message is malformed: {0} (RFC 5802, section 7)")]
    Malformed(&'static str),
    /// The client wants a channel binding, or another one than it began with.
    #[error("channel bindings are not supported, or do not match (RFC 5802, section 6)")]
    ChannelBinding,
    /// The peer needs an extension.
    #[error("the SCRAM message needs an extension that nobody knows (RFC 5802, section 5.1)")]
    Extension,
    /// The client wants to act for another user.
    #[error("acting for another user is not supported")]
    ActingForAnother,
    /// The nonce is not the one of this exchange.
    #[error("the nonce is not the one of this exchange")]
    Nonce,
    /// The client does not know the password, or there is no such user.
    #[error("the proof is wrong: another password, or no such user")]
    Proof,
    /// The server asks for too few iterations or too many.
    #[error("the server asks for {0} iterations")]
    Iterations(u32),
    /// The server does not know the password either.
    #[error("the server's signature is wrong: it does not know this user")]
    ServerSignature,
    /// The server says why it does not go on.
    #[error("the server refuses: {0}")]
    Refused(String),
}

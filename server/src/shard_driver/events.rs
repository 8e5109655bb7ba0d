//! What the shards tell operators, as log lines.

use hearth_broker::{EndReason, Event, Pressure};

/// Writes an event to the log. Ordinary traffic is for debugging only; what the broker held back from
/// somebody, or refused, is a warning.
pub(super) fn log(event: &Event) {
    match event {
        Event::Connected { client_id, identity, version, address, transport, session_present } => {
            let user = identity.user_name.as_deref();
            let address = address.map(tracing::field::display);
            tracing::debug!(%client_id, user, %version, address, ?transport, session_present, "connected");
        }
        Event::Reauthenticated { client_id } => tracing::debug!(%client_id, "authenticated again"),
        Event::Refused { address, reason, detail } => {
            let address = address.map(tracing::field::display);
            tracing::info!(address, %reason, %detail, "a CONNECT was refused");
        }
        Event::Ended { client_id, end } => log_end(client_id.as_deref().unwrap_or_default(), end),
        Event::SessionEnded { client_id } => tracing::debug!(%client_id, "the session is over"),
        Event::Dropping { client_id, reason, limit } => {
            tracing::warn!(%client_id, ?reason, limit, "messages for this client are dropped");
        }
        Event::Limited { client_id, address, limit } => {
            let address = address.map(tracing::field::display);
            tracing::warn!(%client_id, address, limit, "a limit was met");
        }
        Event::Pressure { pressure: Pressure::None, held, limit } => {
            tracing::warn!(held, limit, "there is room again for what clients have to be sent");
        }
        Event::Pressure { pressure: Pressure::Pausing, held, limit } => {
            tracing::warn!(
                held,
                limit,
                "too much is held for clients: who publishes is not read until it is less"
            );
        }
        Event::Pressure { pressure: Pressure::Refusing, held, limit } => {
            tracing::warn!(
                held,
                limit,
                "what is held for clients does not become less: who does not read, or is away, gets nothing more for now"
            );
        }
        Event::Adjusted { client_id, limit } => {
            tracing::info!(%client_id, limit, "the client gets what the limit allows instead of what it asked for");
        }
    }
}

fn log_end(client_id: &str, end: &EndReason) {
    match end {
        EndReason::Disconnect(reason) => tracing::debug!(client_id, %reason, "disconnected"),
        EndReason::Lost => tracing::debug!(client_id, "the connection was lost"),
        EndReason::KeepAlive => tracing::info!(client_id, "nothing came within the keep-alive time"),
        EndReason::TakenOver => tracing::info!(client_id, "the same client id connected again"),
        EndReason::Violation { reason, detail } => {
            tracing::info!(client_id, %reason, %detail, "the client broke a rule");
        }
        EndReason::NotAuthorized { detail } => {
            tracing::info!(client_id, %detail, "the client is not authorized any more");
        }
        EndReason::Shutdown => tracing::debug!(client_id, "told that the broker stops"),
    }
}

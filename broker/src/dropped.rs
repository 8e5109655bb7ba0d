//! What was dropped of one client, by reason.

use hearth_protocol::Text;

use crate::effect::DropReason;

/// Messages to or from a client that were dropped, by [`DropReason`].
pub type DropCounts = [u64; DropReason::COUNT];

/// A client with what was dropped of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDrops {
    /// Its client id.
    pub client_id: Text,
    /// While its session lasts.
    pub counts: DropCounts,
}

impl ClientDrops {
    /// How many are told of. 10: enough to see who it is, and few enough for one message.
    pub const LISTED_MAX: usize = 10;

    /// All together.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Those with the most, the most first, at most [`ClientDrops::LISTED_MAX`].
pub(crate) fn most<'a>(clients: impl Iterator<Item = (&'a Text, &'a DropCounts)>) -> Vec<ClientDrops> {
    let mut listed: Vec<(u64, &Text, &DropCounts)> = Vec::new();
    for (client_id, counts) in clients {
        let total = counts.iter().sum();
        let place = listed.partition_point(|(other, ..)| *other >= total);
        if place < ClientDrops::LISTED_MAX {
            listed.truncate(ClientDrops::LISTED_MAX - 1);
            listed.insert(place, (total, client_id, counts));
        }
    }
    listed
        .into_iter()
        .map(|(_, client_id, counts)| ClientDrops { client_id: client_id.clone(), counts: *counts })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_clients_those_are_listed_that_lost_the_most() {
        let clients: Vec<(Text, DropCounts)> = (0..25_u64)
            .map(|number| {
                let mut counts = [0; DropReason::COUNT];
                counts[DropReason::OutputFull.as_index()] = number * 7 % 25 + 1;
                (Text::try_from(format!("client-{number}")).unwrap(), counts)
            })
            .collect();
        let listed = most(clients.iter().map(|(client_id, counts)| (client_id, counts)));
        let totals: Vec<u64> = listed.iter().map(ClientDrops::total).collect();
        assert_eq!(totals, (16..=25).rev().collect::<Vec<_>>());
    }
}

//! The past of topics: values that messages had, kept in a file of their own beside the way of the acknowledgements.
//!
//! Each shard notes down what may have values ([`Recorder`]); one thread finds them and writes them ([`Writer`]); whoever asks
//! reads the file ([`Reader`]).

mod archive;
mod block;
mod export;
mod intake;
mod m4;
mod reader;
mod recorder;
pub(crate) mod timestamp;
mod values;
mod writer;

#[cfg(test)]
mod decay;
#[cfg(test)]
mod failing_disk;
#[cfg(test)]
mod tap_cost;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub(crate) use m4::M4;
pub(crate) use reader::{Reader, Selection};
pub(crate) use recorder::Recorder;
pub(crate) use writer::{HistoryCounts, Writer};

use archive::{Archive, Bounds};
use intake::Intake;
use values::Values;
use writer::Counters;

use crate::config::HistoryConfig;
use crate::store::{StoreError, is_corrupt, set_aside};

/// The name of the file in the data folder.
const FILE: &str = "history.db";

/// Questions that are answered at once; more wait. Each takes a thread and, for a long time, a core.
const QUESTIONS_MAX: usize = 2;

/// What is kept, for those who note down and those who ask; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct History {
    config: Arc<HistoryConfig>,
    intake: Arc<Intake>,
    counters: Arc<Counters>,
    reader: Arc<Reader>,
    questions: Arc<Semaphore>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The file cannot be read.
    #[error("the history cannot be read: {0}")]
    Database(#[from] rusqlite::Error),
    /// Whoever looked has ended by a panic, or the broker stops.
    #[error("the broker stops, or looking into the history has failed; see the log")]
    Gone,
}

impl History {
    /// Opens the history in a folder that is this process's, for so many shards, and starts the thread that writes it.
    ///
    /// # Errors
    /// The file is another program's or a newer Hearth's, or cannot be used; or there is no thread to be had. One that is
    /// broken is set aside.
    pub(crate) fn start(
        folder: &Path,
        config: &HistoryConfig,
        shards: usize,
    ) -> Result<(Self, Writer), StoreError> {
        let file = folder.join(FILE);
        let bounds =
            Bounds { days_max: config.days_max, bytes_max: config.bytes_max, series_max: config.series_max };
        let archive = match Archive::open(&file, bounds) {
            Err(StoreError::Database { source, .. }) if is_corrupt(&source) => {
                let aside = set_aside(&file, "damaged").map_err(|source| in_folder(folder, source))?;
                tracing::error!(
                    problem = %source, set_aside = ?aside,
                    "the history was damaged: the file was set aside, and a new one begins"
                );
                Archive::open(&file, bounds)?
            }
            other => other?,
        };
        let history = Self {
            config: Arc::new(config.clone()),
            intake: Arc::new(Intake::new(shards)),
            counters: Arc::default(),
            reader: Arc::new(Reader::new(&file)),
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        };
        let values = Values::new(usize::from(config.fields_max));
        let (intake, counters) = (Arc::clone(&history.intake), Arc::clone(&history.counters));
        let writer =
            Writer::start(archive, values, intake, counters).map_err(|source| in_folder(folder, source))?;
        Ok((history, writer))
    }

    /// Who looks at the messages of a shard.
    pub(crate) fn recorder(&self, shard: usize) -> Recorder {
        Recorder::new(shard, Arc::clone(&self.intake), Arc::clone(&self.config))
    }

    /// What was written, and what was not.
    pub(crate) fn counts(&self) -> HistoryCounts {
        self.counters.read(&self.intake)
    }

    /// The first millisecond since 1970 of which there are values yet.
    pub(crate) fn oldest(&self) -> i64 {
        archive::oldest(timestamp::now(), self.config.days_max)
    }

    /// Asks the reader something, on a thread that may wait; behind others when there are many.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AskError> {
        let place = Arc::clone(&self.questions).acquire_owned().await.map_err(|_| AskError::Gone)?;
        let reader = Arc::clone(&self.reader);
        let asked = spawn_blocking(move || {
            let _place = place;
            question(&reader)
        });
        Ok(asked.await.map_err(|_| AskError::Gone)??)
    }
}

fn in_folder(folder: &Path, source: io::Error) -> StoreError {
    StoreError::Folder { folder: folder.to_owned(), source }
}

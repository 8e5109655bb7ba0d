//! What a write-ahead log has that can be believed, and what is behind it. SQLite takes the first frame that does not hold for the
//! end and says nothing, whether a crash has torn it or it was written, synced and has decayed since.

use std::io;

use super::file_bytes::FileBytes;
use super::log_format::{Frame, HEADER_LEN, LogHeader, Mended, Sums};

/// What a log turned out to be.
#[derive(Debug)]
pub(super) struct LogSurvey {
    /// The header as it was written; `None`: there is nothing to believe.
    header: Option<([u8; HEADER_LEN], LogHeader)>,
    /// Frames up to the end of the last commit that can be believed.
    pub(super) frames: u64,
    /// Bytes of them that have decayed, by their place in the file, and what they were.
    bytes: Vec<(u64, u8)>,
    /// Whether a bit of the header has flipped, and is known.
    is_header_mended: bool,
    /// Among the frames, those of which a bit had flipped, also in what SQLite writes beside a page.
    pub(super) mended: u64,
    /// Of these, how many have a flipped bit that cannot be told.
    pub(super) unclear: u64,
    /// What comes behind.
    pub(super) rest: Rest,
}

/// What is behind the last commit that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing that was written since the log has begun anew, or a commit that has not come to its end.
    Nothing,
    /// Frames of the last commit that are not whole, as when the power goes: nobody was told that it was on the disk.
    Torn,
    /// Commits that were on the disk: what was written behind them only begins when they are.
    Lost {
        /// Frames that were written since the log has begun anew.
        frames: u64,
        /// How many of them end a commit.
        commits: u64,
    },
}

/// A commit that has yet to be believed. Where the power goes, or the process is killed, between a frame's header and its page, what
/// was in that place before stays there, which may differ from the page by no more than a bit: a commit with a frame that does not hold
/// counts only where something was written behind it.
#[derive(Debug, Default)]
struct Commit {
    /// Frames up to its end.
    end: u64,
    /// As those of the [`LogSurvey`].
    bytes: Vec<(u64, u8)>,
    mended: u64,
    unclear: u64,
}

impl LogSurvey {
    /// Reads a log; one that is not there is empty.
    pub(super) fn read(log: &mut FileBytes) -> io::Result<Self> {
        let Some(bytes) = log.bytes(0, HEADER_LEN)?.and_then(|bytes| bytes.first_chunk()).copied() else {
            return Ok(Self::nothing(Rest::Nothing));
        };
        if let Some(header) = LogHeader::parse(&bytes) {
            return Self::walk(log, (bytes, header));
        }
        let mut is_older = false;
        for (candidate, header) in LogHeader::candidates(bytes) {
            let Some(frame) = log.bytes(HEADER_LEN as u64, header.frame_len())? else { continue };
            let frame = Frame::new(frame);
            if header.holds(frame, header.sums) {
                let survey = Self::walk(log, (candidate, header))?;
                return Ok(Self { is_header_mended: survey.frames > 0, ..survey });
            }
            is_older |= !header.is_of_now(frame);
        }
        let rest = if is_older { Rest::Nothing } else { without_header(log, bytes == [0; HEADER_LEN])? };
        Ok(Self::nothing(rest))
    }

    fn nothing(rest: Rest) -> Self {
        let (header, bytes) = (None, Vec::new());
        Self { header, frames: 0, bytes, is_header_mended: false, mended: 0, unclear: 0, rest }
    }

    fn walk(log: &mut FileBytes, whole: ([u8; HEADER_LEN], LogHeader)) -> io::Result<Self> {
        let header = whole.1;
        let mut survey = Self { header: Some(whole), ..Self::nothing(Rest::Nothing) };
        let (mut commit, mut unproven) = (Commit::default(), None);
        let (mut number, mut sums) = (0, header.sums);
        while let Some((frame, next)) = frames(log, &header, number)? {
            let mut is_commit = frame.is_commit();
            let repair = if header.holds(frame, sums) { None } else { Some(header.mend(frame, next, sums)) };
            sums = match repair {
                None => frame.sums(),
                Some(None) => break,
                Some(Some(Mended { byte, is_unclear, sums })) => {
                    commit.mended += 1;
                    commit.unclear += u64::from(is_unclear);
                    if let Some((at, byte)) = byte {
                        is_commit = frame.is_commit_with(at, byte);
                        commit.bytes.push((place(&header, number) + at as u64, byte));
                    }
                    sums
                }
            };
            // It goes on behind the commit before it, which was on the disk then.
            survey.believe(unproven.take());
            number += 1;
            if is_commit {
                commit.end = number;
                let ended = std::mem::take(&mut commit);
                if ended.mended == 0 {
                    survey.believe(Some(ended));
                } else {
                    unproven = Some(ended);
                }
            }
        }
        let remains = Remains::read(log, &header, number)?;
        if remains.is_proven {
            survey.believe(unproven.take());
        }
        survey.rest = match unproven {
            Some(_) => Rest::Torn,
            None => remains.rest(number - survey.frames),
        };
        Ok(survey)
    }

    fn believe(&mut self, commit: Option<Commit>) {
        let Some(Commit { end, mut bytes, mended, unclear }) = commit else { return };
        self.frames = end;
        self.bytes.append(&mut bytes);
        self.mended += mended;
        self.unclear += unclear;
    }

    /// Whether SQLite, left alone, would take less than was written, or something that was not.
    pub(super) const fn is_damaged(&self) -> bool {
        self.is_header_mended || self.mended > 0 || matches!(self.rest, Rest::Lost { .. })
    }

    /// The log with what can be believed, as it was written, and nothing else: hands out one piece after the other, and an empty
    /// one at the end.
    pub(super) fn pieces<'a>(
        &'a self,
        log: &'a mut FileBytes,
    ) -> impl FnMut(&mut Vec<u8>) -> io::Result<()> + 'a {
        let mut rest = self.header.map(|(bytes, header)| (Some(bytes), header, header.sums, 0));
        move |piece| {
            piece.clear();
            let Some((first, header, sums, number)) = &mut rest else { return Ok(()) };
            if let Some(first) = first.take() {
                piece.extend_from_slice(&first);
                return Ok(());
            }
            if *number == self.frames {
                return Ok(());
            }
            let begin = place(header, *number);
            let frame = log.bytes(begin, header.frame_len())?;
            piece.extend_from_slice(frame.ok_or(io::ErrorKind::UnexpectedEof)?);
            let first = self.bytes.partition_point(|(at, _)| *at < begin);
            for (at, byte) in &self.bytes[first..] {
                // None of a later frame is in this one.
                match piece.get_mut((at - begin) as usize) {
                    Some(place) => *place = *byte,
                    None => break,
                }
            }
            *sums = header.seal(piece, *sums);
            *number += 1;
            Ok(())
        }
    }
}

/// What is behind the frames that hold, in a log of which commits are not synced one by one: SQLite leaves it out. Nothing in it
/// tells a flipped bit from what the loss of power leaves, anywhere in the log, so that none is put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Frames that were written since the log has begun anew.
    pub(super) frames: u64,
    /// How many of them end a commit.
    pub(super) commits: u64,
}

impl Tail {
    /// `None`: there is none.
    pub(super) fn read(log: &mut FileBytes) -> io::Result<Option<Self>> {
        let Some(bytes) = log.bytes(0, HEADER_LEN)?.and_then(|bytes| bytes.first_chunk()).copied() else {
            return Ok(None);
        };
        let mut whole = 0;
        let header = match LogHeader::parse(&bytes) {
            Some(header) => {
                let (mut number, mut sums) = (0, header.sums);
                while let Some(frame) =
                    frame(log, &header, number)?.filter(|frame| header.holds(*frame, sums))
                {
                    (number, sums) = (number + 1, frame.sums());
                    if frame.is_commit() {
                        whole = number;
                    }
                }
                header
            }
            None => guess(log)?,
        };
        let Remains { frames, commits, .. } = Remains::read(log, &header, whole)?;
        Ok((frames > 0).then_some(Self { frames, commits }))
    }
}

/// Frames behind those that can be believed.
#[derive(Debug, Default)]
struct Remains {
    frames: u64,
    commits: u64,
    /// Whether one of them goes on behind the end of a commit, and so was written when that was on the disk.
    is_proven: bool,
}

impl Remains {
    fn read(log: &mut FileBytes, header: &LogHeader, first: u64) -> io::Result<Self> {
        let (mut remains, mut committed): (Self, Option<Sums>) = (Self::default(), None);
        let mut number = first;
        while let Some(frame) = frame(log, header, number)? {
            number += 1;
            if !header.is_of_now(frame) {
                committed = None;
                continue;
            }
            remains.frames += 1;
            remains.commits += u64::from(frame.is_commit());
            remains.is_proven |= committed.is_some_and(|sums| header.holds(frame, sums));
            committed = frame.is_commit().then(|| frame.sums());
        }
        Ok(remains)
    }

    /// `whole` frames before them belong to the same commit.
    const fn rest(&self, whole: u64) -> Rest {
        match (self.frames, self.is_proven) {
            (0, _) => Rest::Nothing,
            (_, false) => Rest::Torn,
            (frames, true) => Rest::Lost { frames: whole + frames, commits: self.commits },
        }
    }
}

/// What a log has of which nobody knows the header any more. SQLite syncs that, which is in one sector, before it writes a frame.
fn without_header(log: &mut FileBytes, is_zero: bool) -> io::Result<Rest> {
    let header = guess(log)?;
    let remains = Remains::read(log, &header, 0)?;
    Ok(match remains.rest(0) {
        Rest::Torn if !is_zero => Rest::Lost { frames: remains.frames, commits: remains.commits },
        rest @ (Rest::Nothing | Rest::Torn | Rest::Lost { .. }) => rest,
    })
}

/// What the header of a log may have been.
fn guess(log: &mut FileBytes) -> io::Result<LogHeader> {
    let guess = LogHeader::guess(None);
    Ok(LogHeader::guess(frame(log, &guess, 0)?))
}

/// Where a frame begins.
const fn place(header: &LogHeader, number: u64) -> u64 {
    HEADER_LEN as u64 + number * header.frame_len() as u64
}

fn frame<'a>(log: &'a mut FileBytes, header: &LogHeader, number: u64) -> io::Result<Option<Frame<'a>>> {
    Ok(log.bytes(place(header, number), header.frame_len())?.map(Frame::new))
}

/// The same, with the one behind it.
fn frames<'a>(
    log: &'a mut FileBytes,
    header: &LogHeader,
    number: u64,
) -> io::Result<Option<(Frame<'a>, Option<Frame<'a>>)>> {
    let (begin, len) = (place(header, number), header.frame_len());
    // In one piece where both are there.
    let is_last = log.bytes(begin, 2 * len)?.is_none();
    let Some(bytes) = log.bytes(begin, if is_last { len } else { 2 * len })? else { return Ok(None) };
    let (frame, next) = bytes.split_at(len);
    Ok(Some((Frame::new(frame), (!is_last).then_some(Frame::new(next)))))
}

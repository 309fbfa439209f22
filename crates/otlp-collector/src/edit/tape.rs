//! The output of an edit: the input passes by, and what is not replaced is kept.
//!
//! The tape only moves forward. Envelopes are entered and left as the walk goes; their headers are written
//! when something within them changes, and never if nothing does. All that is written goes into one buffer;
//! long stretches of untouched input are shared instead of copied.

use bytes::Bytes;
use otlp_core::Rope;
use otlp_core::wire::request::RopeField;
use otlp_core::wire::varint;
use otlp_core::wire::writer::LEN;

/// From this length on, untouched bytes are shared, not copied. A piece of a rope costs a reference count, an
/// entry here, and one more slice for everybody who reads or writes the rope; sharing stretches of 450 bytes
/// made an edit of every span a third dearer than copying them (`cargo bench -p otlp-collector --bench edit`).
const SHARED_MIN: usize = 2 * 1024;

/// Input on its way to the output.
#[derive(Debug)]
pub(super) struct Tape<'a> {
    parts: &'a [Bytes],
    /// Where the first of `parts` starts in the input.
    part_start: usize,
    /// Up to here the input was taken over or left out.
    at: usize,
    written: Vec<u8>,
    shared: Vec<Shared>,
    shared_len: usize,
    frames: Vec<Frame>,
    /// How many of `frames` have their header written.
    opened: usize,
}

/// A piece of the input that stands in the output in front of `written[at..]`.
#[derive(Debug)]
struct Shared {
    at: usize,
    piece: Bytes,
}

/// A field with a message that the walk is in.
#[derive(Debug)]
struct Frame {
    number: u32,
    start: usize,
    content: usize,
    end: usize,
    /// The output in front of the field, once its header is written.
    before: Mark,
    /// Where in `written` the length stands, in how many bytes, and the output's length behind it.
    length: (usize, usize, usize),
}

/// A state of the output that it can be taken back to.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    written: usize,
    shared: usize,
    shared_len: usize,
}

impl<'a> Tape<'a> {
    pub(super) fn new(input: &'a Rope) -> Self {
        Self {
            parts: input.parts(),
            part_start: 0,
            at: 0,
            written: Vec::new(),
            shared: Vec::new(),
            shared_len: 0,
            frames: Vec::new(),
            opened: 0,
        }
    }

    /// Whether the output differs from the input so far.
    pub(super) fn is_changed(&self) -> bool {
        self.at > 0
    }

    /// Goes into the message of a field of the message that the walk is in.
    #[inline]
    pub(super) fn enter(&mut self, field: &RopeField<'_>) {
        self.frames.push(Frame {
            number: field.number(),
            start: field.start(),
            content: field.content_start(),
            end: field.end(),
            before: Mark::default(),
            length: (0, 0, 0),
        });
    }

    /// Leaves the message that was entered last, and gives it the length that it has now.
    #[inline]
    pub(super) fn leave(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        if self.opened > self.frames.len() {
            self.opened = self.frames.len();
            self.keep_to(frame.end);
            self.finish_length(frame.length);
        }
    }

    /// Leaves the message that was entered last and takes its field out of the output.
    pub(super) fn remove(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        if self.opened > self.frames.len() {
            self.opened = self.frames.len();
            self.take_back(frame.before);
            self.skip_to(frame.end);
        } else {
            self.replace(frame.start, frame.end);
        }
    }

    /// Takes the input from `start` to `end` out of the message that the walk is in. What is written to the
    /// buffer that comes back stands in its place.
    #[inline]
    pub(super) fn replace(&mut self, start: usize, end: usize) -> &mut Vec<u8> {
        if self.opened < self.frames.len() {
            self.open_frames();
        }
        self.keep_to(start);
        self.skip_to(end);
        &mut self.written
    }

    /// The whole output; `input_len` is where the input ends.
    pub(super) fn finish(mut self, input_len: usize) -> Rope {
        self.keep_to(input_len);
        let written = Bytes::from(self.written);
        let mut rope = Rope::with_capacity(2 * self.shared.len() + 1);
        let mut at = 0;
        for Shared { at: next, piece } in self.shared {
            rope.push(written.slice(at..next));
            rope.push(piece);
            at = next;
        }
        rope.push(written.slice(at..));
        rope
    }

    fn len(&self) -> usize {
        self.written.len() + self.shared_len
    }

    /// Writes the headers of all frames that have none yet.
    fn open_frames(&mut self) {
        for depth in self.opened..self.frames.len() {
            let Some(frame) = self.frames.get(depth) else { break };
            let (number, start, content, end) =
                (frame.number, frame.start, frame.content, frame.end);
            self.keep_to(start);
            let before = self.mark();
            varint::put(&mut self.written, u64::from(number) << 3 | u64::from(LEN));
            // As many bytes as the old length needs: nearly always the new one needs as many.
            let (at, width) = (self.written.len(), varint::encoded_len((end - content) as u64));
            self.written.resize(at + width, 0);
            self.skip_to(content);
            let length = (at, width, self.len());
            if let Some(frame) = self.frames.get_mut(depth) {
                (frame.before, frame.length) = (before, length);
            }
        }
        self.opened = self.frames.len();
    }

    /// Writes the length of what was put out since its place was reserved.
    #[inline]
    fn finish_length(&mut self, (at, width, before): (usize, usize, usize)) {
        let length = (self.len() - before) as u64;
        let needed = varint::encoded_len(length);
        if needed != width {
            self.make_room(at + width, at + needed);
        }
        let mut rest = length;
        for slot in self.written.iter_mut().skip(at).take(needed) {
            *slot = (rest & 0x7f) as u8 | 0x80;
            rest >>= 7;
        }
        if let Some(last) = self.written.get_mut(at + needed - 1) {
            *last &= 0x7f;
        }
    }

    /// Moves what was written from `old` on to `new`, with the pieces that stand there.
    #[cold]
    fn make_room(&mut self, old: usize, new: usize) {
        let end = self.written.len();
        self.written.resize(end.max(end + new - old), 0);
        self.written.copy_within(old..end, new);
        self.written.truncate(end + new - old);
        for shared in self.shared.iter_mut().rev().take_while(|shared| shared.at >= old) {
            shared.at = shared.at + new - old;
        }
    }

    /// Takes the input over up to `end`.
    #[inline]
    fn keep_to(&mut self, end: usize) {
        while self.at < end {
            let Some(part) = self.parts.first() else { return };
            let start = self.at - self.part_start;
            let stop = part.len().min(end - self.part_start);
            match part.get(start..stop) {
                Some(short) if short.len() < SHARED_MIN => self.written.extend_from_slice(short),
                _ if start < stop => self.share(part.slice(start..stop)),
                _ => {}
            }
            self.move_to(self.part_start + stop);
        }
    }

    fn share(&mut self, piece: Bytes) {
        self.shared_len += piece.len();
        self.shared.push(Shared { at: self.written.len(), piece });
    }

    /// Leaves the input out up to `end`.
    #[inline]
    fn skip_to(&mut self, end: usize) {
        if end > self.at {
            self.move_to(end);
        }
    }

    #[inline]
    fn move_to(&mut self, at: usize) {
        self.at = at;
        while let Some((part, rest)) = self.parts.split_first()
            && at - self.part_start >= part.len()
        {
            self.part_start += part.len();
            self.parts = rest;
        }
    }

    fn mark(&self) -> Mark {
        Mark { written: self.written.len(), shared: self.shared.len(), shared_len: self.shared_len }
    }

    fn take_back(&mut self, mark: Mark) {
        self.written.truncate(mark.written);
        self.shared.truncate(mark.shared);
        self.shared_len = mark.shared_len;
    }
}

#[cfg(test)]
mod tests;

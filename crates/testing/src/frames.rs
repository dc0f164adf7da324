//! The frames of an event stream.

/// The frames of an event stream (`text/event-stream`), cut from the chunks of a body.
///
/// A chunk ends wherever the network cut it, which may be inside a frame, a line or a character.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

/// One frame: its fields. `comment` is a line without a name.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the HTML standard, section 9.2.6")]
pub struct Frame {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<String>,
    pub retry: Option<String>,
    pub comment: Option<String>,
}

impl Frames {
    /// Takes the next chunk of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }
}

impl Iterator for Frames {
    type Item = Frame;

    /// The next frame that has arrived whole. `None` means only that more must be pushed first.
    fn next(&mut self) -> Option<Frame> {
        let end = self.bytes.windows(2).position(|pair| pair == b"\n\n")?;
        let frame: Vec<u8> = self.bytes.drain(..end + 2).collect();
        Some(Frame::parse(str::from_utf8(&frame).unwrap().trim_end()))
    }
}

impl Frame {
    fn parse(text: &str) -> Self {
        let mut frame = Self::default();
        for line in text.lines() {
            let (name, value) = line.split_once(':').unwrap();
            let field = match name {
                "id" => &mut frame.id,
                "event" => &mut frame.event,
                "data" => &mut frame.data,
                "retry" => &mut frame.retry,
                "" => &mut frame.comment,
                other => panic!("unknown field {other}"),
            };
            assert_eq!(field.replace(value.trim_start().to_owned()), None, "{text}");
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_may_end_anywhere() {
        let stream = "id: 7\nevent: component.created\ndata: {\"name\":\"Übergröße 10 kΩ\"}\n\n: ping\n\n";
        for size in 1..=stream.len() {
            let mut frames = Frames::default();
            let mut read = Vec::new();
            for chunk in stream.as_bytes().chunks(size) {
                frames.push(chunk);
                read.extend(&mut frames);
            }
            assert_eq!(read.len(), 2, "chunks of {size} bytes");
            assert_eq!(read[0].data.as_deref(), Some("{\"name\":\"Übergröße 10 kΩ\"}"));
            assert_eq!(read[1], Frame { comment: Some("ping".to_owned()), ..Frame::default() });
        }
    }
}

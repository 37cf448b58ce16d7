//! Answers of the server as trees. The order of elements is kept: a listing of
//! versions interleaves versions and delete markers, and its order is what
//! tells two of them apart that have the same second.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Answers of S3 are three deep; a deeper one is none.
const DEEPEST: usize = 16;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

/// The root element of a document.
pub fn parse(document: &[u8]) -> Result<Element, String> {
    let text = std::str::from_utf8(document).map_err(|error| error.to_string())?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                if open.len() > DEEPEST {
                    return Err("elements stand too deep".to_owned());
                }
                open.push(named(start.local_name().as_ref()));
            }
            Event::Empty(start) => {
                let element = named(start.local_name().as_ref());
                top(&mut open)?.children.push(element);
            }
            Event::End(_) => {
                let element = open.pop().ok_or("an end without a start")?;
                top(&mut open)?.children.push(element);
            }
            Event::Text(text) => {
                top(&mut open)?.text.push_str(&text);
            }
            Event::CData(text) => {
                top(&mut open)?.text.push_str(&text);
            }
            Event::GeneralRef(reference) => {
                let number = reference
                    .resolve_char_ref()
                    .map_err(|error| error.to_string())?;
                let text = &mut top(&mut open)?.text;
                match number {
                    Some(character) => text.push(character),
                    None => text.push_str(
                        quick_xml::escape::resolve_predefined_entity(&reference)
                            .ok_or("a reference that nobody defined")?,
                    ),
                }
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    match (open.len(), open.pop().map(|mut all| all.children.pop())) {
        (1, Some(Some(root))) => Ok(root),
        _ => Err("the document ends in the middle".to_owned()),
    }
}

fn named(name: &str) -> Element {
    Element {
        name: name.to_owned(),
        ..Element::default()
    }
}

fn top(open: &mut [Element]) -> Result<&mut Element, String> {
    open.last_mut()
        .ok_or_else(|| "an end without a start".to_owned())
}

/// Text that may stand between tags.
pub fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_references_and_space_are_kept() {
        let text = b"<?xml version=\"1.0\"?><L xmlns=\"u\"><V><K>a &amp;&#x41; b </K></V><D/><V><K>c</K></V></L>";
        let root = parse(text).expect("well formed");
        let names: Vec<&str> = root.children.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["V", "D", "V"]);
        assert_eq!(root.children[0].text_of("K"), Some("a &A b "));
    }

    #[test]
    fn an_answer_that_was_cut_off_is_no_answer() {
        for text in ["", "<L><V>", "<L><V></V>", "<L>&nobody;</L>", "<L></M>"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

//! JSON text that is written piece by piece: schemas and bodies of requests, whose members keep their order.

/// A JSON object that is being written.
pub(crate) struct ObjectText(Vec<u8>);

impl ObjectText {
    pub(crate) fn new() -> ObjectText {
        ObjectText(vec![b'{'])
    }

    pub(crate) fn member(&mut self, name: &str, value: &[u8]) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.extend(json(name));
        self.0.push(b':');
        self.0.extend_from_slice(value);
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// Writes a text, or texts, as JSON.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Texts always have a JSON form.
    serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec())
}

/// Writes an array of JSON texts.
pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [b"[".as_slice(), &items.join(&b','), b"]"].concat()
}

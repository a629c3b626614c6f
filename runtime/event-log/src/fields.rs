//! The fields of an entry as one blob: each name and each value follows its length (four bytes, little-endian).

use bytes::Bytes;

use super::Fields;

pub(super) fn encode(fields: &Fields) -> Vec<u8> {
    let size: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len() + 8)
        .sum();
    let mut blob = Vec::with_capacity(size);
    for (name, value) in fields {
        for part in [name.as_bytes(), value] {
            // A field is shorter than 4 GiB: SQLite limits a row to 1 GB.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            blob.extend_from_slice(&length.to_le_bytes());
            blob.extend_from_slice(part);
        }
    }
    blob
}

/// The fields of a blob, or `None` if [`encode`] did not make it.
pub(super) fn decode(blob: Vec<u8>) -> Option<Fields> {
    let mut rest = Bytes::from(blob);
    let mut fields = Fields::new();
    while !rest.is_empty() {
        let name = part(&mut rest)?;
        let value = part(&mut rest)?;
        fields.push((String::from_utf8(name.into()).ok()?, value));
    }
    Some(fields)
}

fn part(rest: &mut Bytes) -> Option<Bytes> {
    let length = u32::from_le_bytes(*rest.first_chunk()?);
    let _ = rest.split_to(4);
    let length = usize::try_from(length).ok()?;
    (length <= rest.len()).then(|| rest.split_to(length))
}

#[cfg(test)]
mod tests {
    use random_inputs::fragments;

    use super::*;

    #[test]
    fn encoded_fields_are_decoded_again() {
        for fields in [
            vec![],
            vec![(String::new(), Bytes::new())],
            vec![
                ("event".to_owned(), Bytes::from_static(b"{}\0\xff")),
                ("다른".to_owned(), Bytes::new()),
            ],
        ] {
            assert_eq!(decode(encode(&fields)), Some(fields));
        }
    }

    #[test]
    fn a_truncated_blob_is_not_decoded() {
        let whole = encode(&vec![("event".to_owned(), Bytes::from_static(b"{}"))]);
        for length in 1..whole.len() {
            assert_eq!(decode(whole[..length].to_vec()), None, "cut at {length}");
        }
    }

    /// Random bytes are decoded or refused, and what is decoded has no second form.
    #[test]
    fn any_blob_is_decoded_or_refused() {
        let blob = fragments([
            "\u{1}\0\0\0",
            "\u{2}\0\0\0",
            "\u{5}\0\0\0",
            "\0\0\0\0",
            "event",
            "{}",
        ]);
        bolero::check!().with_generator(blob).for_each(|blob| {
            if let Some(fields) = decode(blob.clone()) {
                assert_eq!(encode(&fields), *blob);
            }
        });
    }
}

//! Fields as one blob: each name and each value after its length (four bytes, little-endian).

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
            // A field of 4 GiB cannot come here: SQLite refuses rows beyond 1 GB, guests much less.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            blob.extend_from_slice(&length.to_le_bytes());
            blob.extend_from_slice(part);
        }
    }
    blob
}

/// `None` if the blob was not made by [`encode`].
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
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
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
    fn a_blob_that_was_cut_is_noticed() {
        let whole = encode(&vec![("event".to_owned(), Bytes::from_static(b"{}"))]);
        for length in 1..whole.len() {
            assert_eq!(decode(whole[..length].to_vec()), None, "cut at {length}");
        }
    }
}

//! Texts made of the fragments of a grammar, with other bytes between them.

use bolero::{ValueGenerator, one_of, one_value_of, produce};

/// Up to 40 parts, each a fragment or any byte.
pub fn fragments<const N: usize>(
    fragments: [&'static str; N],
) -> impl ValueGenerator<Output = Vec<u8>> {
    let fragment = one_value_of(fragments).map_gen(|text: &str| text.as_bytes().to_vec());
    let byte = produce::<u8>().map_gen(|byte| vec![byte]);
    let parts = produce::<Vec<Vec<u8>>>().with().len(0..40_usize);
    parts
        .values(one_of((fragment, byte)))
        .map_gen(|parts| parts.concat())
}

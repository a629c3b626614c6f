//! The fingerprint of a content, for the entity tag of a resource without a version.

/// The 64-bit FNV-1a hash of `content`.
///
/// It distinguishes two versions of one resource. It is no protection against deliberate collisions.
/// A `const fn`, so that the entity tag of a compiled-in file costs no time at run time.
#[must_use]
pub const fn fingerprint(content: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = OFFSET_BASIS;
    let mut position = 0;
    while position < content.len() {
        hash = (hash ^ content[position] as u64).wrapping_mul(PRIME);
        position += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    /// The test vectors of the specification, draft-eastlake-fnv.
    #[test]
    fn the_fingerprint_is_fnv_1a() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }
}

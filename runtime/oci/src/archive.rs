//! Layers of Spin that hold many files: a tar archive, compressed with gzip.
//!
//! The locked application names each file by the digest of its content, so the names in the archive have no meaning
//! here: nothing that an archive says about a path, a link or a permission is believed.

use std::io::{self, Read};

use anyhow::{Context as _, bail, ensure};
use flate2::read::MultiGzDecoder;

/// The most bytes of all files of an archive together.
const MAX_CONTENT: u64 = 1 << 30;

/// The largest file.
const MAX_FILE: u64 = 512 << 20;

/// The unit of tar archives.
const BLOCK: usize = 512;

/// Calls `receive` with the content of every regular file of an archive.
///
/// # Errors
/// When the archive is damaged or too large, or `receive` fails.
pub fn each_file(
    archive: impl Read,
    receive: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let unpacked = MultiGzDecoder::new(archive);
    // One byte more, so that an archive of exactly this length is not refused.
    let bounded = unpacked.take(MAX_CONTENT + 1);
    read_files(bounded, receive).context("the archive of files cannot be unpacked")
}

fn read_files<R: Read>(
    mut tar: io::Take<R>,
    mut receive: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut header = [0; BLOCK];
    loop {
        match tar.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && tar.limit() == 0 => {
                bail!("it has more than {} MiB", MAX_CONTENT >> 20);
            }
            Err(error) => return Err(error).context("it ends early"),
        }
        if header.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        check_sum(&header)?;
        let size = octal(&header[124..136]).context("the length of a file is malformed")?;
        ensure!(
            size <= MAX_FILE,
            "a file in it has more than {} MiB",
            MAX_FILE >> 20
        );
        let padded = size.next_multiple_of(BLOCK as u64);
        let is_file = matches!(header[156], b'0' | 0);
        if is_file {
            let mut content = Vec::new();
            (&mut tar).take(size).read_to_end(&mut content)?;
            ensure!(content.len() as u64 == size, "it ends within a file");
            receive(&content)?;
            skip(&mut tar, padded - size)?;
        } else {
            skip(&mut tar, padded)?;
        }
    }
}

fn skip(tar: &mut impl Read, length: u64) -> anyhow::Result<()> {
    let skipped = io::copy(&mut tar.take(length), &mut io::sink())?;
    ensure!(skipped == length, "it ends early");
    Ok(())
}

/// The sum of all bytes of the header, in which the field of the sum counts as blanks.
fn check_sum(header: &[u8; BLOCK]) -> anyhow::Result<()> {
    let field = 148..156;
    let sum = header.iter().enumerate().map(|(index, byte)| {
        let counted = if field.contains(&index) { b' ' } else { *byte };
        u64::from(counted)
    });
    let sum: u64 = sum.sum();
    ensure!(octal(&header[field]) == Some(sum), "a header is damaged");
    Ok(())
}

/// A number in octal digits, with blanks and zeros around it.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(|letter| matches!(letter, ' ' | '\0'));
    u64::from_str_radix(digits, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn entry(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = [0; BLOCK];
        header[..8].copy_from_slice(b"../../ab");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = kind;
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let mut entry = header.to_vec();
        entry.extend(content);
        entry.resize(entry.len().next_multiple_of(BLOCK), 0);
        entry
    }

    fn compressed(tar: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(tar).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(archive: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        each_file(archive, |content| {
            files.push(content.to_vec());
            Ok(())
        })?;
        Ok(files)
    }

    #[test]
    fn only_the_contents_of_files_are_taken() {
        let parts = [
            entry(b'5', b""),
            entry(b'0', b"first"),
            entry(b'2', b""),
            entry(b'L', b"a long name"),
            entry(b'0', &[7; 1000]),
            entry(b'0', b""),
            vec![0; 2 * BLOCK],
        ];
        let files = unpack(&compressed(&parts.concat())).unwrap();
        assert_eq!(files, [b"first".to_vec(), vec![7; 1000], Vec::new()]);
    }

    #[test]
    fn a_damaged_archive_is_refused() {
        let whole = [entry(b'0', &[7; 1000]), vec![0; 2 * BLOCK]].concat();
        for length in [0, 100, BLOCK, BLOCK + 600] {
            let error = unpack(&compressed(&whole[..length])).unwrap_err();
            assert!(format!("{error:#}").contains("it ends"), "{error:#}");
        }
        let mut changed = whole.clone();
        changed[130] ^= 1;
        assert!(unpack(&compressed(&changed)).is_err());
        let packed = compressed(&whole);
        assert!(unpack(&packed[..packed.len() / 2]).is_err());
        assert!(unpack(b"no gzip").is_err());
        let mut huge = entry(b'0', b"");
        huge[124..135].copy_from_slice(b"77777777777");
        huge[148..156].fill(b' ');
        let sum: u64 = huge.iter().map(|byte| u64::from(*byte)).sum();
        huge[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let error = unpack(&compressed(&huge)).unwrap_err();
        assert!(format!("{error:#}").contains("512 MiB"), "{error:#}");
    }

    proptest::proptest! {
        /// Whatever is in an archive: it is unpacked or refused.
        #[test]
        fn any_archive_is_unpacked_or_refused(tar in proptest::collection::vec(0..255_u8, 0..2000)) {
            let _ = unpack(&compressed(&tar));
        }
    }
}

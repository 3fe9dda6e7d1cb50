//! Blosc containers (version 1), decoded only: blocks compressed with blosclz, zstd, lz4 or zlib, after a shuffle of bytes or bits.
//! Format: <https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>.

use std::io::Read;

const HEADER: usize = 16;
/// A block is compressed in as many pieces as a value has bytes, unless pieces were shorter than this.
const SHORTEST_PIECE: usize = 128;
const MOST_PIECES: usize = 16;

/// Why a container cannot be decoded.
pub(super) enum Refused {
    Damaged(&'static str),
    Codec(&'static str),
}

const CUT: Refused = Refused::Damaged("its blosc container ends too early");
const WRONG: Refused = Refused::Damaged("its blosc container contradicts itself");
const BROKEN: Refused = Refused::Damaged("a block of its blosc container cannot be decoded");

fn u32_at(bytes: &[u8], at: usize) -> Result<usize, Refused> {
    let four = bytes.get(at..at.saturating_add(4)).and_then(|b| b.try_into().ok()).ok_or(CUT)?;
    Ok(u32::from_le_bytes(four) as usize)
}

/// Decode a container that should hold `size` bytes.
pub(super) fn decode(bytes: &[u8], size: usize) -> Result<Vec<u8>, Refused> {
    let &[_, _, flags, width, ..] = bytes else { return Err(CUT) };
    let (held, block, width) = (u32_at(bytes, 4)?, u32_at(bytes, 8)?, usize::from(width));
    if held != size || (size > 0 && block == 0) || width == 0 {
        return Err(WRONG);
    }
    if flags & 2 != 0 {
        return Ok(bytes.get(HEADER..HEADER + size).ok_or(CUT)?.to_vec());
    }
    let mut all = Vec::new();
    let blocks = size.div_ceil(block.max(1));
    if blocks > bytes.len() {
        return Err(CUT);
    }
    for k in 0..blocks {
        let len = block.min(size - k * block);
        let start = u32_at(bytes, HEADER + 4 * k)?;
        let whole = len == block;
        let split = flags & 0x10 == 0 && width <= MOST_PIECES && block / width >= SHORTEST_PIECE && whole;
        let pieces = if split { width } else { 1 };
        let mut at = start;
        let mut plain = Vec::with_capacity(len.min(1 << 24));
        for _ in 0..pieces {
            let stored = u32_at(bytes, at)?;
            let piece = bytes.get(at + 4..(at + 4).saturating_add(stored)).ok_or(CUT)?;
            at += 4 + stored;
            let expected = len / pieces;
            if stored == expected {
                plain.extend_from_slice(piece);
            } else {
                plain.extend(decompress(piece, expected, flags >> 5)?);
            }
        }
        if plain.len() != len {
            return Err(BROKEN);
        }
        let plain = match flags & 5 {
            0 => plain,
            1 => unshuffle_bytes(&plain, width),
            _ => unshuffle_bits(&plain, width),
        };
        all.extend(plain);
    }
    Ok(all)
}

fn decompress(piece: &[u8], size: usize, codec: u8) -> Result<Vec<u8>, Refused> {
    let bytes = match codec {
        1 => lz4(piece, size),
        3 => {
            let mut bytes = Vec::new();
            let read = flate2::read::ZlibDecoder::new(piece).take(size as u64 + 1).read_to_end(&mut bytes);
            read.ok().map(|_| bytes)
        }
        4 => zstd(piece, size),
        0 => blosclz(piece, size),
        2 => return Err(Refused::Codec("snappy")),
        _ => return Err(WRONG),
    };
    bytes.filter(|b| b.len() == size).ok_or(BROKEN)
}

/// Matches lie at most this far back, unless they say that they lie farther.
const NEAR: usize = 8191;

/// A block of blosclz (a kind of FastLZ) that holds at most `size` bytes: runs of literal bytes, and matches with what was there
/// before. A first byte below 32 is the length of a run less one; else its upper three bits are the length of a match, its lower
/// five and a later byte the distance.
fn blosclz(piece: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size.min(1 << 24));
    let (&first, mut rest) = piece.split_first()?;
    // The upper bits of the very first byte are a mark.
    let mut control = usize::from(first & 31);
    let next = |rest: &mut &[u8]| {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        Some(usize::from(byte))
    };
    loop {
        if control < 32 {
            let (run, behind) = rest.split_at_checked(control + 1)?;
            bytes.extend_from_slice(run);
            rest = behind;
        } else {
            let (mut len, mut back) = ((control >> 5) - 1, (control & 31) << 8);
            if len == 6 {
                loop {
                    let more = next(&mut rest)?;
                    len += more;
                    if more != 255 {
                        break;
                    }
                }
            }
            let low = next(&mut rest)?;
            back = if low == 255 && back == 31 << 8 { (next(&mut rest)? << 8) + next(&mut rest)? + NEAR } else { back + low };
            let from = bytes.len().checked_sub(back + 1)?;
            // A match may reach into what it makes itself.
            for at in from..from.checked_add(len + 3)? {
                let byte = *bytes.get(at)?;
                bytes.push(byte);
                if bytes.len() > size {
                    return None;
                }
            }
        }
        if bytes.len() > size {
            return None;
        }
        match next(&mut rest) {
            Some(byte) => control = byte,
            None => return Some(bytes),
        }
    }
}

/// A block of lz4 that holds at most `size` bytes.
pub(super) fn lz4(piece: &[u8], size: usize) -> Option<Vec<u8>> {
    lz4_flex::block::decompress(piece, size).ok()
}

/// A frame of zstd that holds at most `size` bytes.
pub(super) fn zstd(piece: &[u8], size: usize) -> Option<Vec<u8>> {
    let decoder = ruzstd::decoding::StreamingDecoder::new(piece).ok()?;
    let mut bytes = Vec::new();
    decoder.take(size as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// First all first bytes of the values, then all second bytes, ….
fn unshuffle_bytes(shuffled: &[u8], width: usize) -> Vec<u8> {
    let n = shuffled.len() / width.max(1);
    let mut plain = shuffled.to_vec();
    for (at, to) in plain.iter_mut().enumerate().take(n * width) {
        *to = shuffled.get(at % width * n + at / width).copied().unwrap_or(0);
    }
    plain
}

/// First all lowest bits of the first bytes, eight values in a byte, then all next bits, ….
fn unshuffle_bits(shuffled: &[u8], width: usize) -> Vec<u8> {
    let n = shuffled.len() / width.max(1);
    let mut plain = shuffled.to_vec();
    if !n.is_multiple_of(8) {
        return plain;
    }
    let row = n / 8;
    for (at, to) in plain.iter_mut().enumerate().take(n * width) {
        let (value, byte) = (at / width, at % width);
        let bit = |b: usize| shuffled.get((byte * 8 + b) * row + value / 8).map_or(0, |x| x >> (value % 8) & 1);
        *to = (0..8).fold(0, |sum, b| sum | bit(b) << b);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffles_are_undone() {
        assert_eq!(unshuffle_bytes(&[1, 3, 5, 2, 4, 6, 9], 2), [1, 2, 3, 4, 5, 6, 9]);
        // Eight values of one byte: 1, 2, 4, …, 128.
        let values: Vec<u8> = (0..8).map(|k| 1 << k).collect();
        assert_eq!(unshuffle_bits(&values, 1), values, "the transpose of the identity");
        assert_eq!(unshuffle_bits(&[0xff, 0, 0, 0, 0, 0, 0, 0x0f], 1), [0x81, 0x81, 0x81, 0x81, 1, 1, 1, 1]);
        assert_eq!(unshuffle_bits(&[7, 7, 7], 1), [7, 7, 7], "what is no multiple of eight is not shuffled");
    }

    #[test]
    fn blosclz_as_numcodecs_writes_it_is_decoded() {
        let random = (0..600i64).map(|i| ((i * 7919 + i * i * 31) % 4000) as i32);
        let values = random.chain(std::iter::repeat_n(0, 6000)).chain((0..400).flat_map(|_| 0..50));
        let plain: Vec<u8> = values.flat_map(i32::to_le_bytes).collect();
        let files: [&[u8]; 3] = [
            include_bytes!("../../../tests/fixtures/formats/blosclz_shuffle_0.bin"),
            include_bytes!("../../../tests/fixtures/formats/blosclz_shuffle_1.bin"),
            include_bytes!("../../../tests/fixtures/formats/blosclz_shuffle_2.bin"),
        ];
        for (shuffle, file) in files.into_iter().enumerate() {
            assert!(matches!(decode(file, plain.len()), Ok(b) if b == plain), "shuffle {shuffle}");
            // Damage is refused or gives other bytes, and never more than there should be.
            for at in (16..file.len()).step_by(97) {
                let mut damaged = file.to_vec();
                damaged[at] ^= 0x55;
                assert!(decode(&damaged, plain.len()).map_or(true, |b| b.len() == plain.len()), "byte {at}");
            }
        }
        assert_eq!(blosclz(&[0, b'a', 0x20, 0], 9), Some(b"aaaa".to_vec()), "a run of one byte");
        assert_eq!((blosclz(&[0, b'a', 0x20, 9], 9), blosclz(&[5, b'a'], 9), blosclz(&[], 9)), (None, None, None));
    }

    #[test]
    fn containers_that_lie_are_refused() {
        let raw = [&[2u8, 1, 2, 1][..], &4u32.to_le_bytes(), &4u32.to_le_bytes(), &20u32.to_le_bytes(), b"abcd"].concat();
        assert!(matches!(decode(&raw, 4), Ok(b) if b == b"abcd"));
        assert!(matches!(decode(&raw, 5), Err(Refused::Damaged(_))) && decode(&raw[..18], 4).is_err() && decode(b"", 0).is_err());
        let mut compressed = raw.clone();
        compressed[2] = 4 << 5;
        assert!(decode(&compressed, 4).is_err());
        let snappy = [
            &[2u8, 1, 2 << 5, 1][..],
            &4u32.to_le_bytes(),
            &4u32.to_le_bytes(),
            &30u32.to_le_bytes(),
            &20u32.to_le_bytes(),
            &2u32.to_le_bytes(),
            b"ab",
        ];
        assert!(matches!(decode(&snappy.concat(), 4), Err(Refused::Codec("snappy"))));
    }
}

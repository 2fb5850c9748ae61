//! What chunks store: one zstd frame each (RFC 8878).
//!
//! With the feature `zstd` they are compressed by the C library. Without it frames are written with blocks that are not compressed, which
//! any reader of zstd takes, and read by a decoder in Rust.

/// How a frame begins.
pub(super) const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

#[cfg(feature = "zstd")]
pub(super) use compressed::{Compressor, Decompressor, is_whole};
#[cfg(not(feature = "zstd"))]
pub(super) use plain::{Compressor, Decompressor, is_whole};

#[cfg(feature = "zstd")]
mod compressed {
    use std::io;

    /// Entries repeat in long stretches, which level 1 finds nearly as well as 3 does: on the `locks` kernel a light trace has
    /// 2.12 bytes per event rather than 2.05, at half the time.
    const LEVEL: i32 = 1;

    pub(in super::super) struct Compressor(zstd::bulk::Compressor<'static>);

    impl Compressor {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Compressor(zstd::bulk::Compressor::new(LEVEL)?))
        }

        /// Puts the frame of these bytes into `frame`, in place of what is there.
        pub(in super::super) fn compress(
            &mut self,
            raw: &[u8],
            frame: &mut Vec<u8>,
        ) -> io::Result<()> {
            frame.clear();
            frame.resize(zstd::zstd_safe::compress_bound(raw.len()), 0);
            let len = self.0.compress_to_buffer(raw, frame)?;
            frame.truncate(len);
            Ok(())
        }
    }

    pub(in super::super) struct Decompressor(zstd::bulk::Decompressor<'static>);

    impl Decompressor {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Decompressor(zstd::bulk::Decompressor::new()?))
        }

        /// What a frame has, if that is not more than so many bytes.
        pub(in super::super) fn decompress(
            &mut self,
            frame: &[u8],
            most: usize,
        ) -> io::Result<Vec<u8>> {
            self.0.decompress(frame, most)
        }
    }

    /// Whether a whole frame is at the beginning.
    pub(in super::super) fn is_whole(bytes: &[u8]) -> bool {
        zstd::zstd_safe::find_frame_compressed_size(bytes).is_ok()
    }
}

#[cfg(any(test, not(feature = "zstd")))]
mod plain {
    use super::MAGIC;
    use ruzstd::decoding::StreamingDecoder;
    use std::io::{self, Read};

    /// Descriptor of a frame that says its length in four bytes, and has one segment (RFC 8878, 3.1.1.1.1).
    const DESCRIPTOR: u8 = 0b1010_0000;
    /// Bytes of a block at most (RFC 8878, 3.1.1.2.4).
    const BLOCK: usize = 128 << 10;

    pub(in super::super) struct Compressor(());

    impl Compressor {
        #[expect(clippy::unnecessary_wraps, reason = "that of the C library can fail")]
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Compressor(()))
        }

        /// Puts the frame of these bytes into `frame`, in place of what is there.
        #[expect(
            clippy::unnecessary_wraps,
            clippy::unused_self,
            reason = "that of the C library needs both"
        )]
        pub(in super::super) fn compress(
            &mut self,
            raw: &[u8],
            frame: &mut Vec<u8>,
        ) -> io::Result<()> {
            frame.clear();
            frame.extend(MAGIC);
            frame.push(DESCRIPTOR);
            frame.extend((raw.len() as u32).to_le_bytes());
            let blocks = raw.chunks(BLOCK);
            let mut left = blocks.len();
            let mut block = |bytes: &[u8]| {
                left = left.saturating_sub(1);
                // Its type is 0: not compressed.
                let header = (bytes.len() as u32) << 3 | u32::from(left == 0);
                frame.extend(&header.to_le_bytes()[..3]);
                frame.extend(bytes);
            };
            if raw.is_empty() {
                block(&[]);
            }
            blocks.for_each(block);
            Ok(())
        }
    }

    pub(in super::super) struct Decompressor(());

    impl Decompressor {
        #[expect(clippy::unnecessary_wraps, reason = "that of the C library can fail")]
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Decompressor(()))
        }

        /// What a frame has, if that is not more than so many bytes.
        #[expect(clippy::unused_self, reason = "that of the C library keeps its tables")]
        pub(in super::super) fn decompress(
            &mut self,
            frame: &[u8],
            most: usize,
        ) -> io::Result<Vec<u8>> {
            let decoder = StreamingDecoder::new(frame).map_err(io::Error::other)?;
            read_bounded(decoder, most)
        }
    }

    /// Whether a whole frame is at the beginning.
    pub(in super::super) fn is_whole(mut bytes: &[u8]) -> bool {
        StreamingDecoder::new(&mut bytes)
            .is_ok_and(|mut decoder| io::copy(&mut decoder, &mut io::sink()).is_ok())
    }

    /// Reads all, which is no more than so many bytes.
    fn read_bounded(input: impl Read, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        input.take(most as u64 + 1).read_to_end(&mut bytes)?;
        match bytes.len() > most {
            true => Err(io::Error::other("it is longer than it says")),
            false => Ok(bytes),
        }
    }
}

#[cfg(all(test, feature = "zstd"))]
mod tests {
    use super::{compressed, plain};

    fn samples() -> Vec<Vec<u8>> {
        let noise = |len: u32| (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
        let mut samples = vec![Vec::new(), b"a".to_vec(), vec![7; 300_000]];
        samples.extend([128 << 10, (128 << 10) + 1, 1 << 20].map(|len| noise(len).collect()));
        samples
    }

    #[test]
    fn each_reads_what_the_other_wrote() {
        let mut frame = Vec::new();
        for raw in samples() {
            plain::Compressor::new()
                .unwrap()
                .compress(&raw, &mut frame)
                .unwrap();
            assert!(plain::is_whole(&frame) && compressed::is_whole(&frame));
            let read = compressed::Decompressor::new()
                .unwrap()
                .decompress(&frame, raw.len());
            assert_eq!(read.unwrap(), raw);
            compressed::Compressor::new()
                .unwrap()
                .compress(&raw, &mut frame)
                .unwrap();
            let mut plain = plain::Decompressor::new().unwrap();
            assert_eq!(plain.decompress(&frame, raw.len()).unwrap(), raw);
            if let Some(less) = raw.len().checked_sub(1) {
                assert!(plain.decompress(&frame, less).is_err());
            }
        }
    }

    #[test]
    fn what_is_cut_is_no_whole_frame() {
        let mut frame = Vec::new();
        for raw in samples().into_iter().skip(1) {
            plain::Compressor::new()
                .unwrap()
                .compress(&raw, &mut frame)
                .unwrap();
            for cut in [1, 2, frame.len() / 2, frame.len() - 5] {
                let cut = &frame[..frame.len() - cut];
                assert!(!plain::is_whole(cut) && !compressed::is_whole(cut));
                assert!(
                    plain::Decompressor::new()
                        .unwrap()
                        .decompress(cut, raw.len())
                        .is_err()
                );
            }
        }
    }
}

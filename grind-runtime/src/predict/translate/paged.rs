//! Tables by address.
//!
//! Every access of a trace is looked up in some, so that is two loads and no hash: a directory of pages, which exist
//! where something was put.
//!
//! **Cost**: 8 bytes per `LEN` entries up to the highest, and `LEN` entries where there is one.

/// Entries by number, in pages of `LEN`.
#[derive(Debug)]
pub(in crate::predict) struct Paged<T, const LEN: usize> {
    pages: Vec<Option<Box<[T; LEN]>>>,
    used: u32,
}

impl<T, const LEN: usize> Default for Paged<T, LEN> {
    fn default() -> Self {
        Paged {
            pages: Vec::new(),
            used: 0,
        }
    }
}

impl<T: Copy + Default, const LEN: usize> Paged<T, LEN> {
    /// What is there, or the default.
    #[inline]
    pub(in crate::predict) fn get(&self, index: u32) -> T {
        let index = index as usize;
        match self.pages.get(index / LEN) {
            Some(Some(page)) => page[index % LEN],
            _ => T::default(),
        }
    }

    /// Whether something was put into the page of this entry.
    pub(in crate::predict) fn has_page(&self, index: u32) -> bool {
        matches!(self.pages.get(index as usize / LEN), Some(Some(_)))
    }

    /// Bytes that it takes.
    pub(in crate::predict) fn bytes(&self) -> u64 {
        let pages = self.used as usize * size_of::<[T; LEN]>();
        (pages + self.pages.capacity() * size_of::<usize>()) as u64
    }

    #[inline]
    pub(in crate::predict) fn get_mut(&mut self, index: u32) -> &mut T {
        let index = index as usize;
        if index / LEN >= self.pages.len() {
            self.pages.resize_with(index / LEN + 1, || None);
        }
        let page = &mut self.pages[index / LEN];
        let used = &mut self.used;
        let page = page.get_or_insert_with(|| {
            *used += 1;
            Box::new([T::default(); LEN])
        });
        &mut page[index % LEN]
    }
}

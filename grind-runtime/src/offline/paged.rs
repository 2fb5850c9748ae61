//! Tables by address.
//!
//! Every access of a trace is looked up in some, so that is two loads and no hash: a directory of pages, which exist
//! where something was put.
//!
//! **Cost**: 8 bytes per `LEN` entries up to the highest, and `LEN` entries where there is one.

/// Entries by number, in pages of `LEN`.
#[derive(Debug)]
pub(super) struct Paged<T, const LEN: usize> {
    pages: Vec<Option<Box<[T; LEN]>>>,
}

impl<T, const LEN: usize> Default for Paged<T, LEN> {
    fn default() -> Self {
        Paged { pages: Vec::new() }
    }
}

impl<T: Copy + Default, const LEN: usize> Paged<T, LEN> {
    /// What is there, or the default.
    #[inline]
    pub(super) fn get(&self, index: u32) -> T {
        let index = index as usize;
        match self.pages.get(index / LEN) {
            Some(Some(page)) => page[index % LEN],
            _ => T::default(),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> &mut T {
        let index = index as usize;
        if index / LEN >= self.pages.len() {
            self.pages.resize_with(index / LEN + 1, || None);
        }
        let page = &mut self.pages[index / LEN];
        &mut page.get_or_insert_with(|| Box::new([T::default(); LEN]))[index % LEN]
    }
}

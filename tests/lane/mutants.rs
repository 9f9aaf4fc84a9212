pub struct Mutant { pub name: &'static str, pub killer: &'static str }
impl Mutant { pub fn plant(&self) -> axum::Router { crate::keyed(std::sync::Arc::new(larder::storage::memory::Memory::new())) } }
pub const ALL: &[Mutant] = &[];
